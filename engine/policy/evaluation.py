"""What all gates come to at given moments, without a workflow and without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from engine.errors import GateError, InputError
from engine.gates import registry
from engine.gates.asking import ask, skipped
from engine.gates.protocol import Callback, GateContext, GateServices
from engine.model.approval import Vote
from engine.model.base import Json, Timestamp, Value
from engine.model.environment import Gate
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import (
    Allow,
    AttributeValue,
    Defer,
    Deny,
    GateOutcome,
    GateResult,
    Skip,
    Verdict,
)

_READS_RESULTS = "policy"
_ROUNDS = 3


class Outcome(StrEnum):
    """Where a gate ends, or stands, when it is asked at a given moment."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    OVERRIDDEN = "overridden"
    WAITING = "waiting"
    UNKNOWN = "unknown"


class Verdicts(StrEnum):
    """What all gates together come to.

    `wait` is said while none has failed and one waits, `unknown` while none has failed and one
    cannot be answered.
    """

    ALLOW = "allow"
    DENY = "deny"
    WAIT = "wait"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """Where a finding comes from: the gate's own code, the record, or whoever made up the case."""

    ASKED = "asked"
    RECORDED = "recorded"
    GIVEN = "given"
    NONE = "none"


class Finding(Value):
    """What one gate comes to.

    Attributes:
        until: with `waiting`, when it would be asked again at the latest.
        who: with `waiting`, the people who can act.
        rejected_by: the person whose explicit rejection it is.
    """

    name: str
    type: str
    outcome: Outcome
    reason: str
    basis: Basis = Basis.ASKED
    until: Timestamp | None = None
    who: tuple[str, ...] = ()
    rejected_by: str | None = None
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)


class Answers(GateServices, Protocol):
    """Services that take note of what they could not answer."""

    missing: list[str]


@dataclass(frozen=True)
class Question:
    """One gate to be asked.

    Attributes:
        moments: at which it is asked in turn, for as long as it waits; at least one.
        instead: what stands in place of asking it, once it is known to have a say.
    """

    gate: Gate
    services: Answers
    opened_at: datetime
    moments: tuple[datetime, ...]
    memory: dict[str, Json] = field(default_factory=dict)
    callbacks: tuple[Callback, ...] = ()
    instead: Finding | None = None


async def evaluate(
    promotion: PromotionSnapshot, votes: Sequence[Vote], questions: Sequence[Question]
) -> tuple[Finding, ...]:
    """Ask all gates, and return their findings in the order of the questions.

    A gate knows of the results of those that had theirs at its own moment; gates of the type
    `policy` are asked after all others, and again once there is more to read.
    """
    found: dict[str, Finding] = {}
    ended: dict[str, datetime] = {}
    for question in sorted(questions, key=_in_turn):
        for moment in question.moments:
            finding = await _find(
                promotion, votes, question, moment, _results(found, ended, moment)
            )
            found[question.gate.name], ended[question.gate.name] = finding, moment
            if finding.outcome is not Outcome.WAITING:
                break
    for _ in range(_ROUNDS):
        before = dict(found)
        for question in questions:
            name, moment = question.gate.name, question.moments[-1]
            if question.gate.type == _READS_RESULTS and found[name].outcome is Outcome.WAITING:
                results = _results(found, ended, moment)
                found[name] = await _find(promotion, votes, question, moment, results)
        if found == before:
            break
    return tuple(found[question.gate.name] for question in questions)


def verdict_of(findings: Sequence[Finding]) -> Verdicts:
    """What findings come to together."""
    outcomes = {finding.outcome for finding in findings}
    if Outcome.FAILED in outcomes:
        return Verdicts.DENY
    if Outcome.UNKNOWN in outcomes:
        return Verdicts.UNKNOWN
    return Verdicts.WAIT if Outcome.WAITING in outcomes else Verdicts.ALLOW


def _in_turn(question: Question) -> tuple[bool, datetime]:
    return question.gate.type == _READS_RESULTS, question.moments[0]


async def _find(
    promotion: PromotionSnapshot,
    votes: Sequence[Vote],
    question: Question,
    moment: datetime,
    results: tuple[GateResult, ...],
) -> Finding:
    gate = question.gate
    context = GateContext(
        gate=gate,
        promotion=promotion,
        votes=tuple(vote for vote in votes if vote.at <= moment),
        results=results,
        callbacks=question.callbacks,
        memory=question.memory,
        opened_at=question.opened_at,
        now=moment,
    )
    try:
        if question.instead is None:
            return _finding(gate, await ask(context, question.services), question.services)
        skip = skipped(registry.get(gate.type), context)
        return question.instead if skip is None else _finding(gate, skip, question.services)
    except (GateError, InputError) as error:
        if question.services.missing:
            return _unanswered(gate, question.services)
        reason, outcome = f"the gate broke: {error}", Outcome.FAILED
        if gate.on_error == "allow":
            reason += "; passed over, since its on_error is allow"
            outcome = Outcome.PASSED
        return Finding(name=gate.name, type=gate.type, outcome=outcome, reason=reason)


def _finding(gate: Gate, verdict: Verdict, services: Answers) -> Finding:
    if services.missing:
        return _unanswered(gate, services)
    return Finding(
        name=gate.name,
        type=gate.type,
        outcome=_OUTCOMES[type(verdict)],
        reason=verdict.reason,
        until=verdict.until if isinstance(verdict, Defer) else None,
        who=verdict.who if isinstance(verdict, Defer) else (),
        rejected_by=verdict.rejected_by if isinstance(verdict, Deny) else None,
        attributes=verdict.attributes,
    )


_OUTCOMES: dict[type[Verdict], Outcome] = {
    Allow: Outcome.PASSED,
    Deny: Outcome.FAILED,
    Defer: Outcome.WAITING,
    Skip: Outcome.SKIPPED,
}


def _unanswered(gate: Gate, services: Answers) -> Finding:
    missing = ", ".join(dict.fromkeys(services.missing))
    return Finding(
        name=gate.name,
        type=gate.type,
        outcome=Outcome.UNKNOWN,
        reason=f"cannot be answered without {missing}",
        basis=Basis.NONE,
    )


def _results(
    found: dict[str, Finding], ended: dict[str, datetime], moment: datetime
) -> tuple[GateResult, ...]:
    return tuple(
        GateResult(
            name=finding.name,
            type=finding.type,
            outcome=GateOutcome(finding.outcome.value),
            reason=finding.reason,
            attributes=finding.attributes,
            rejected_by=finding.rejected_by,
            started_at=ended[name],
            ended_at=ended[name],
        )
        for name, finding in found.items()
        if finding.outcome not in (Outcome.WAITING, Outcome.UNKNOWN) and ended[name] <= moment
    )
