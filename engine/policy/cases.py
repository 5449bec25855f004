"""The file of a policy test: made-up promotions at given times, and what is to become of them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from engine.gates.recurrence import instant
from engine.model.approval import VoteDecision
from engine.model.base import Digest, Document, Duration, Json, Name, Timestamp
from engine.model.execution import StepStatus
from engine.model.release import AttachmentDocument, Version
from engine.policy.evaluation import Outcome, Verdicts

_LOCAL = re.compile(r"(?P<local>\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?) (?P<zone>[A-Za-z0-9_+/-]+)")
_REMEDY = "write 2026-03-06T17:00 Europe/Berlin, or 2026-03-06T16:00:00Z"


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    matched = _LOCAL.fullmatch(value)
    if matched is None:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no moment; {_REMEDY}") from None
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; {_REMEDY}")
        return moment
    try:
        return instant(datetime.fromisoformat(matched["local"]), ZoneInfo(matched["zone"]))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no moment; {_REMEDY}") from None


_EXAMPLES = ["2026-03-06T17:00 Europe/Berlin", "2026-03-06T16:00:00Z"]

Moment = Annotated[
    Timestamp,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "examples": _EXAMPLES}),
]
"""A moment: local time and a zone of the IANA database, `2026-03-06T17:00 Europe/Berlin`, or
RFC 3339. A local time that occurs twice is the first one."""


class GivenComponent(Document):
    """A component of a made-up release.

    Attributes:
        digest: of its bytes, which a scan report has to be about; one made of the name by default.
    """

    name: Name
    artifact: str = ""
    digest: Digest | None = None
    attachments: tuple[AttachmentDocument, ...] = ()


class GivenRelease(Document):
    """A made-up release; paths of attachments are relative to the test's file."""

    name: Name = "release"
    version: Version = "1.0.0"
    committers: tuple[str, ...] = ()
    components: tuple[GivenComponent, ...] = (GivenComponent(name="app"),)


class GivenVote(Document):
    """A vote that was cast.

    Attributes:
        at: the case's `now` by default.
        signed: whether it is signed, with a stand-in for the key that is registered for the voter;
            of somebody without a registered key it counts as unsigned.
    """

    user: str = Field(min_length=1)
    decision: VoteDecision = VoteDecision.APPROVE
    comment: str = ""
    at: Moment | None = None
    on_behalf_of: str | None = None
    signed: bool = False


class GivenStep(Document):
    """A step of the promotion that a standing is about."""

    node: Name
    type: str = "verify"
    status: StepStatus = StepStatus.SUCCEEDED


class GivenStanding(Document):
    """What the release has done in another environment.

    Attributes:
        soaked: how long before `now` it succeeded; or `succeeded_at`.
        is_current: whether nothing else has succeeded there since.
        replaced_at: when something else first did.
        has_failed_since: whether a later promotion of it to there failed.
    """

    soaked: Duration | None = Field(default=None, ge=timedelta(0))
    succeeded_at: Moment | None = None
    is_current: bool = True
    replaced_at: Moment | None = None
    has_failed_since: bool = False
    steps: tuple[GivenStep, ...] = ()

    @model_validator(mode="after")
    def _is_one_moment(self) -> GivenStanding:
        if (self.soaked is None) == (self.succeeded_at is None):
            raise ValueError("give either soaked or succeeded_at")
        if self.is_current and self.replaced_at is not None:
            raise ValueError("what was replaced is not current; give is_current: false")
        return self


class GivenFreeze(Document):
    """A freeze that somebody has set by hand.

    Attributes:
        start: a day before the promotion was requested by default.
    """

    name: str = "freeze"
    reason: str = "because"
    start: Moment | None = None
    end: Moment | None = None
    stops_the_line: bool = False
    created_by: str = "somebody"


class GivenAnswer(Document):
    """What a gate that calls out is taken to say."""

    verdict: Literal["allow", "deny", "defer"]
    reason: str = ""
    until: Moment | None = None


class ExpectedGate(Document):
    """What a gate has to come to; what is left out is not looked at."""

    outcome: Outcome | None = None
    until: Moment | None = None
    who: tuple[str, ...] | None = None
    reason_contains: str = ""


class Expectation(Document):
    """What has to become of the promotion.

    Attributes:
        gates: by name, `approval: waiting` or `approval: {outcome: waiting, until: …}`.
    """

    decision: Verdicts
    gates: dict[str, Outcome | ExpectedGate] = Field(default_factory=dict)


class PolicyCase(Document):
    """One made-up promotion.

    Attributes:
        environment: which of the file's environments; the file's own choice by default.
        open_for: how long before `now` it was requested and its gates were asked first.
        release: the path of a release file, or a release written out.
        standings: by environment; the release has not been where it is left out.
        answers: by the name of a gate that calls out.
    """

    name: str = Field(min_length=1)
    environment: Name | None = None
    now: Moment
    open_for: Duration = Field(default=timedelta(0), ge=timedelta(0))
    requested_by: str = Field(default="requester", min_length=1)
    reason: str = ""
    rollback: bool = False
    parameters: dict[str, Json] = Field(default_factory=dict)
    release: str | GivenRelease | None = None
    votes: tuple[GivenVote, ...] = ()
    standings: dict[Name, GivenStanding] = Field(default_factory=dict)
    freezes: tuple[GivenFreeze, ...] = ()
    answers: dict[str, GivenAnswer] = Field(default_factory=dict)
    expect: Expectation


class PolicyTestFile(Document):
    """A policy test file, as `promote policy test` reads it.

    Attributes:
        files: the environment file that is tested, and the templates that it names; relative to
            this file.
        environment: which environment the cases are about, where they do not say.
        release: of the cases that give none.
    """

    files: tuple[str, ...] = Field(min_length=1)
    environment: Name | None = None
    release: str | GivenRelease = GivenRelease()
    cases: tuple[PolicyCase, ...] = Field(min_length=1)
