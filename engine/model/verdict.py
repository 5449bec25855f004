"""What a gate says, and what becomes of it.

A verdict is one of three: `allow`, `deny`, or `defer` (not yet: until a time, or until somebody
acts). A gate that defers is asked again at that time or when something it waits for has happened,
and its final word is a result.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from engine.model.base import Digest, Timestamp, Value
from engine.model.failure import Failure

AttributeValue = str | bool | int | float | tuple[str, ...]
"""What a span attribute can hold
(https://opentelemetry.io/docs/specs/otel/common/#attribute)."""


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
    """

    reason: str
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    inputs: dict[str, Digest] = Field(default_factory=dict)


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
        who: the people who can act now, by name.
    """

    kind: Literal["defer"] = "defer"
    until: Timestamp | None = None
    who: tuple[str, ...] = ()


Verdict = Annotated[Allow | Deny | Defer, Field(discriminator="kind")]


class GateResult(Value):
    """The final word of one gate, with all that evidence and trace need.

    Attributes:
        error: present exactly when the gate broke instead of deciding.
    """

    name: str
    type: str
    outcome: GateOutcome
    reason: str
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    inputs: dict[str, Digest] = Field(default_factory=dict)
    rejected_by: str | None = None
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
    result: GateResult | None = None
