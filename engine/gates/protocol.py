"""What a gate is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from engine.model.approval import Vote
from engine.model.base import Document, Timestamp, Value
from engine.model.environment import Gate
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Verdict

AttachmentReader = Callable[[str], Awaitable[bytes]]
"""Reads a registered attachment's bytes by its digest; raises `NotFoundError`."""


class GateContext(Value):
    """What a gate decides over.

    Attributes:
        votes: all votes so far, also those bound to something else; the gate tells them apart.
        opened_at: when the gate was asked for the first time.
        now: the moment to decide for. A gate reads no clock.
    """

    gate: Gate
    promotion: PromotionSnapshot
    votes: tuple[Vote, ...] = ()
    opened_at: Timestamp
    now: Timestamp


class GateType(Protocol):
    """One type of gate. Implementations hold no state.

    Attributes:
        type: the name in `type:` of an environment file, and in the span name `gate.<type>`.
        config: the model of the gate's `config:`.
    """

    config: ClassVar[type[Document]]
    type: ClassVar[str]

    async def evaluate(self, context: GateContext, read: AttachmentReader) -> Verdict:
        """Decide for `context.now`.

        Asked again whenever a vote has come in, and at `Defer.until`. The same context gives the
        same verdict.

        Raises:
            GateError: what the gate reads is broken, so that it cannot decide.
        """
        ...
