"""What a gate says, and what becomes of it.

A verdict is one of three: `allow`, `deny`, or `defer` (not yet: until a time, or until somebody
acts). A gate that defers is asked again at that time or when something it waits for has happened,
and its final word is a result.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from engine.model.base import Digest, Json, Timestamp, Value
from engine.model.failure import Failure

AttributeValue = str | bool | int | float | tuple[str, ...]
"""What a span attribute can hold
(https://opentelemetry.io/docs/specs/otel/common/#attribute)."""


MAX_EVIDENCE_BYTES = 16 * 1024
"""How much a gate may put on record beside the digests of its inputs."""


class Decision(StrEnum):
    """The decision over all gates of a promotion."""

    ALLOW = "allow"
    DENY = "deny"


class GateOutcome(StrEnum):
    """The end of one gate."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    OVERRIDDEN = "overridden"


class _Verdict(Value):
    """What every verdict carries.

    Attributes:
        reason: one sentence that a person can act on.
        attributes: figures for the gate's span, by attribute name.
        inputs: digests of what the gate read, by name.
        evidence: what the gate learnt that its inputs' digests do not tell, such as an answer or a
            sample, for the record; without secrets, at most `MAX_EVIDENCE_BYTES` as JSON.
        facts: what was answered to the gate's questions, its memory and callbacks; from them it
            can be asked again. Whoever asks the gate puts them here, not the gate.
        asked_at: the moment that it decided for; put here like `facts`.
    """

    reason: str
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    inputs: dict[str, Digest] = Field(default_factory=dict)
    evidence: dict[str, Json] = Field(default_factory=dict)
    facts: dict[str, Json] = Field(default_factory=dict)
    asked_at: Timestamp | None = None


class Allow(_Verdict):
    """The gate has nothing against the promotion."""

    kind: Literal["allow"] = "allow"


class Deny(_Verdict):
    """The gate's last word is no."""

    kind: Literal["deny"] = "deny"
    rejected_by: str | None = Field(
        default=None, description="the person whose explicit rejection this is"
    )


class Defer(_Verdict):
    """Not yet.

    Attributes:
        until: when to ask again at the latest; None when only an action can change the verdict.
        recheck_at: when to ask again though nothing is known to change then, in case that word of
            a change was lost; not shown to people.
        who: the people who can act now, by name.
        callback_token: what an answer by the update `gate_callback` has to name; empty when the
            gate waits for none. Not shown to people.
        memory: what the gate wants to be given back when it is asked again (`GateContext.memory`);
            it is in the workflow's history, so no secrets.
    """

    kind: Literal["defer"] = "defer"
    until: Timestamp | None = None
    recheck_at: Timestamp | None = None
    who: tuple[str, ...] = ()
    callback_token: str = ""
    memory: dict[str, Json] = Field(default_factory=dict)


class Skip(_Verdict):
    """The gate has no say: its `when` is false, or it does not hold for rollbacks."""

    kind: Literal["skip"] = "skip"


Verdict = Annotated[Allow | Deny | Defer | Skip, Field(discriminator="kind")]


class Override(Value):
    """A person's word that a gate is to be passed over.

    Attributes:
        gate: the gate's name.
        at: when the workflow accepted it.
    """

    gate: str
    user: str
    reason: str
    at: Timestamp


class GateResult(Value):
    """The final word of one gate, with all that evidence and trace need.

    Attributes:
        facts, asked_at: as in the verdict.
        overridden: whose word it was, exactly when the outcome is `overridden`.
        error: present exactly when the gate broke instead of deciding.
    """

    name: str
    type: str
    outcome: GateOutcome
    reason: str
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    inputs: dict[str, Digest] = Field(default_factory=dict)
    evidence: dict[str, Json] = Field(default_factory=dict)
    facts: dict[str, Json] = Field(default_factory=dict)
    asked_at: Timestamp | None = None
    rejected_by: str | None = None
    overridden: Override | None = None
    error: Failure | None = None
    started_at: Timestamp
    ended_at: Timestamp


class GateState(Value):
    """Where one gate stands now, for a person who asks: open while `result` is None.

    Attributes:
        attributes: figures of the verdict that it waits with.
    """

    name: str
    type: str
    waiting_for: str = ""
    until: Timestamp | None = None
    who: tuple[str, ...] = ()
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    callback_token: str = Field(default="", exclude=True, repr=False)
    result: GateResult | None = None
