"""The gate `http`: a service elsewhere decides, at once or later by a callback."""

from __future__ import annotations

import secrets
from typing import ClassVar

from engine.gates.configuration import applied
from engine.gates.http_asking import Asked, Memory
from engine.gates.http_config import HttpConfig
from engine.gates.protocol import GateContext, GateServices
from engine.model.base import Document
from engine.model.verdict import Verdict


class HttpGate:
    """Asks a URL, and takes its word."""

    config: ClassVar[type[Document]] = HttpConfig
    type: ClassVar[str] = "http"
    holds_for_rollbacks: ClassVar[bool] = True

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until the service is to be asked again or has called back.

        Raises:
            GateError: the service does not answer, or answers something else than a verdict.
        """
        config = applied(context.gate, HttpConfig)
        memory = Memory.model_validate(context.memory)
        if config.callback and not memory.token:
            # Drawn before it is given out, so that a repetition of the question gives out the same.
            memory = Memory(token=secrets.token_urlsafe(32))
            return Asked(config, context, memory).deferred(until=context.now)
        return await Asked(config, context, memory).verdict(services)
