"""What a gate is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from pydantic import Field

from engine.model.approval import Vote
from engine.model.base import Document, Json, Timestamp, Value
from engine.model.environment import Gate
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionSnapshot
from engine.model.standing import Standing
from engine.model.verdict import GateResult, Verdict
from engine.plugins.calls import Calls


class Callback(Value):
    """An answer that somebody sent to a gate which waits for one, by the update `gate_callback`.

    Attributes:
        gate: the gate's name.
        token: what the gate gave out when it asked, and tells by it that the answer is its own.
        body: the answer.
        at: when the workflow accepted it.
    """

    gate: str
    token: str
    body: dict[str, Json] = Field(default_factory=dict)
    at: Timestamp


class GateContext(Value):
    """What a gate decides over.

    Attributes:
        votes: all votes so far, also those bound to something else; the gate tells them apart.
        results: of this promotion's gates that have had their last word.
        callbacks: what was sent to this gate so far.
        memory: of the gate's latest `Defer`; empty when it is asked for the first time.
        opened_at: when the gate was asked for the first time.
        now: the moment to decide for. A gate reads no clock.
    """

    gate: Gate
    promotion: PromotionSnapshot
    votes: tuple[Vote, ...] = ()
    results: tuple[GateResult, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    memory: dict[str, Json] = Field(default_factory=dict)
    opened_at: Timestamp
    now: Timestamp


class GateServices(Protocol):
    """What a gate may ask of the outside. What was answered can be answered again in a replay."""

    async def attachment(self, digest: str) -> bytes:
        """A registered attachment's bytes; raises `NotFoundError`."""
        ...

    async def standing(self, environment: str) -> Standing:
        """What the promotion's release has done in another environment of its tenant.

        Raises:
            NotFoundError: there is no such environment.
        """
        ...

    async def freezes(self) -> tuple[Freeze, ...]:
        """The freezes by hand that hold for the promotion's environment, now or later."""
        ...

    async def secret(self, reference: str) -> str:
        """The secret that `env:NAME`, `file:PATH` or a plugin's reference stands for.

        Raises:
            InputError: there is none; the message does not hold it.
        """
        ...

    @property
    def calls(self) -> Calls:
        """Takes note of the plugins that the gate calls.

        Raises:
            InputError: none may be called now.
        """
        ...

    def heartbeat(self) -> None:
        """Say that the gate is still at work, at least every few seconds of a long call."""
        ...


class GateType(Protocol):
    """One type of gate. Implementations hold no state.

    Attributes:
        type: the name in `type:` of an environment file, and in the span name `gate.<type>`.
        config: the model of the gate's `config:`.
        holds_for_rollbacks: whether a rollback is asked too, where the environment does not say.
    """

    config: ClassVar[type[Document]]
    type: ClassVar[str]
    holds_for_rollbacks: ClassVar[bool]

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Decide for `context.now`.

        Asked again at `Defer.until`, and whenever a vote or a callback has come in, another gate
        has ended, or a freeze was set or lifted.

        Raises:
            GateError: what the gate reads is broken, so that it cannot decide.
        """
        ...
