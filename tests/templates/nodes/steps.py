"""What the tests of node types share: work to do, and the services of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from engine.errors import InputError
from engine.plugins.calls import Unrecorded
from engine.templates import registry
from engine.templates.protocol import StepReport, StepWork
from tests.gates.builders import promotion

RUN = UUID("0d6f8f0a-94c1-5a8e-8d0e-2f3b1f0f7b11")
SECRETS = {"env:TOKEN": "t0p-s3cret-value", "env:HOOK": "", "env:KEY": ""}


class Services:
    """`StepServices` with secrets of a test's."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets
        self.calls = Unrecorded()

    async def secret(self, reference: str) -> str:
        if reference not in self._secrets:
            raise InputError(reference, "the variable is not set")
        return self._secrets[reference]

    def heartbeat(self) -> None:
        return


async def do(
    type: str, inputs: Mapping[str, Any], *, attempt: int = 1, secrets: Mapping[str, str] = SECRETS
) -> StepReport:
    """Do a step's work as the activity does."""
    work = StepWork(
        promotion=promotion(),
        node_id="step",
        type=type,
        inputs=dict(inputs),
        run_id=RUN,
        attempt=attempt,
    )
    return await registry.working(type).work(work, Services(secrets))
