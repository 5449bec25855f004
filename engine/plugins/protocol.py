"""What a plugin is, in Python or as an executable: it says what it offers, and answers calls.

A call is one JSON object, and so is its answer. An executable reads the one on its standard input
and writes the other to its standard output, one call a process; a plugin in Python takes and
returns the same values. docs/plugins.md is the contract for those who write plugins.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from engine.model.base import Document, Duration, Json, Name, Timestamp, Value

PROTOCOL: Final = 1
"""The version of the protocol; a plugin refuses a call of another one."""

LONGEST_CALL = timedelta(minutes=45)
"""The longest time limit that may be asked for."""

USUAL_CALL = timedelta(seconds=30)

MAX_ANSWER_BYTES = 256 * 1024
"""How much a plugin may answer, as JSON."""

MAX_REQUEST_BYTES = 1024 * 1024
"""How much a plugin is ever told, as JSON."""


class Kind(StrEnum):
    """How a plugin runs: inside of our process, or as one of its own."""

    PYTHON = "python"
    EXECUTABLE = "executable"


class OfferKind(StrEnum):
    """What a plugin can offer."""

    GATE = "gate"
    STEP = "step"
    NOTIFIER = "notifier"
    SECRETS = "secrets"
    DRIVER = "driver"


class Method(StrEnum):
    """What a plugin can be called for."""

    DESCRIBE = "describe"
    GATE_EVALUATE = "gate.evaluate"
    STEP_RUN = "step.run"
    NOTIFY = "notify"
    SECRET_RESOLVE = "secret.resolve"  # noqa: S105  # a method's name
    DRIVER_PULL = "driver.pull"
    DRIVER_DEPLOY = "driver.deploy"
    DRIVER_HEALTH_CHECK = "driver.health_check"


METHODS: dict[OfferKind, tuple[Method, ...]] = {
    OfferKind.GATE: (Method.GATE_EVALUATE,),
    OfferKind.STEP: (Method.STEP_RUN,),
    OfferKind.NOTIFIER: (Method.NOTIFY,),
    OfferKind.SECRETS: (Method.SECRET_RESOLVE,),
    OfferKind.DRIVER: (Method.DRIVER_PULL, Method.DRIVER_DEPLOY, Method.DRIVER_HEALTH_CHECK),
}
"""Which methods an offer of each kind has."""

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


class Offer(Document):
    """One thing that a plugin can do.

    Attributes:
        input_schema: `schema` on the wire: what its inputs must be, by JSON Schema
            (https://json-schema.org/draft/2020-12). They are always an object.
        secrets: names of the secrets that it takes beside its inputs.
        timeout: how long a call may take where whoever uses it says nothing.
        examples: inputs to try it with, which `promote plugin check` does.
        holds_for_rollbacks: of a gate: whether rollbacks have to pass it too, where an environment
            does not say.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    kind: OfferKind
    name: Name
    description: str = ""
    input_schema: dict[str, Json] = Field(default_factory=dict, alias="schema")
    secrets: tuple[SecretName, ...] = ()
    timeout: Duration = Field(default=USUAL_CALL, gt=timedelta(0), le=LONGEST_CALL)
    examples: tuple[dict[str, Json], ...] = ()
    holds_for_rollbacks: bool = True


class Description(Document):
    """The answer to `describe`.

    Attributes:
        protocol: of the protocol that the plugin speaks.
        id: the plugin's name, unique among the installed ones.
        version: its own.
    """

    protocol: int = PROTOCOL
    id: Name
    version: str = Field(min_length=1, max_length=128)
    description: str = ""
    offers: tuple[Offer, ...] = Field(min_length=1)

    @field_validator("protocol")
    @classmethod
    def _is_spoken_here(cls, version: int) -> int:
        if version != PROTOCOL:
            raise ValueError(f"is {version}, but this engine speaks {PROTOCOL}")
        return version

    @model_validator(mode="after")
    def _offers_differ(self) -> Description:
        seen = {(offer.kind, offer.name) for offer in self.offers}
        if len(seen) != len(self.offers):
            raise ValueError("offers two things of one kind under one name")
        return self


class Context(Document):
    """What a plugin is told about the call itself.

    Attributes:
        traceparent, tracestate, baggage: for what the plugin calls and logs, as in HTTP headers
            (https://www.w3.org/TR/trace-context/). The parent is the span of this call.
        key: names the work; the same when it is tried again, so that nothing is done twice.
        deadline: when the plugin is stopped.
        check: that this is a rehearsal by `promote plugin check`: nothing that lasts may be done.
    """

    traceparent: str = ""
    tracestate: str = ""
    baggage: str = ""
    key: str
    deadline: Timestamp
    check: bool = False


class Call(Document):
    """One call; what an executable reads on its standard input.

    Attributes:
        params: see `engine.plugins.messages`, by method; empty for `describe`.
    """

    protocol: Literal[1] = PROTOCOL
    method: Method
    params: dict[str, Json] = Field(default_factory=dict)
    context: Context


class Refusal(Value):
    """How a plugin says that it could not do what it was called for.

    Attributes:
        type: a class of errors, for spans and statistics, e.g. `BoardUnreachable`.
        message: one line for a person.
        retryable: whether the same call may succeed later.
    """

    type: str = Field(min_length=1, max_length=128)
    message: str = Field(min_length=1)
    retryable: bool = False


class RefusedError(Exception):
    """What a plugin in Python raises to answer with a `Refusal`."""

    def __init__(self, type: str, message: str, *, retryable: bool = False) -> None:
        self.refusal = Refusal(type=type, message=message, retryable=retryable)
        super().__init__(message)


class Plugin(Protocol):
    """A plugin. It keeps nothing between calls, which may come at the same time."""

    def describe(self) -> Description:
        """What it offers; always the same."""
        ...

    async def call(self, call: Call) -> dict[str, Json]:
        """Answer a call by its method's result, as JSON data.

        Raises:
            RefusedError: it cannot; a definite negative is an answer and no refusal.
        """
        ...
