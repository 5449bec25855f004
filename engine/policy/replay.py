"""A changed policy over the recorded inputs of past promotions.

Nothing is called and nothing is written. A gate that reads no more than our database is asked
again, by its own code, for the moment at which it decided and with what it was told then; what it
was not asked then is looked up in the record as of that moment. A gate that calls out keeps its
recorded result.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import TypeAdapter

from engine.documents.applying import checked_here
from engine.documents.definitions import read_definitions
from engine.errors import InputError
from engine.gates.asking import FROM_RECORD, NOT_NEEDED
from engine.gates.freezes import STOP_THE_LINE, keeper
from engine.gates.protocol import Callback
from engine.model.base import Digest, Json, Timestamp, Value
from engine.model.environment import Environment, Gate
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Decision, GateOutcome, GateResult
from engine.policy.evaluation import (
    Basis,
    Finding,
    Outcome,
    Question,
    Verdicts,
    evaluate,
    verdict_of,
)
from engine.policy.services import RecordedServices
from engine.store.rows import PromotionRow
from engine.store.store import Store

PAGE = 200
"""Promotions that are read at a time."""

_CALLBACKS = TypeAdapter(tuple[Callback, ...])
_OWN = ("memory", "callbacks")


class ReplayedGate(Value):
    """One gate then and by the changed policy.

    Attributes:
        recorded: None for a gate that there was not.
        replayed: None for a gate that there is no more.
        differs: whether the two outcomes are known and not the same.
    """

    name: str
    type: str
    recorded: GateOutcome | None
    recorded_reason: str = ""
    replayed: Outcome | None
    reason: str = ""
    basis: Basis = Basis.NONE
    until: Timestamp | None = None
    differs: bool


class ReplayedPromotion(Value):
    """One past promotion then and by the changed policy, at the moment when it was decided."""

    promotion_id: UUID
    release: str
    requested_by: str
    requested_at: Timestamp
    recorded: Decision
    replayed: Verdicts
    differs: bool
    gates: tuple[ReplayedGate, ...]


class ReplayedSnapshot(PromotionSnapshot):
    """A promotion under other rules, whose votes stay bound to what was voted on.

    Attributes:
        bound_to: the binding of the promotion as it was.
    """

    bound_to: Digest

    @property
    def binding(self) -> str:
        """What the votes were bound to then."""
        return self.bound_to


async def changed_environment(store: Store, file: Path, name: str) -> tuple[str, Environment]:
    """The tenant's name and the environment called `name` of an environment file.

    Raises:
        InputError: the file is not well-formed, or has no such environment.
    """
    definitions = await checked_here(store, read_definitions([file]))
    for definition in definitions.environments:
        if definition.environment.name == name:
            return definition.tenant, definition.environment
    known = ", ".join(each.environment.name for each in definitions.environments) or "none"
    raise InputError(str(file), f"has no environment {name!r}", f"it has: {known}")


async def replay(
    store: Store,
    tenant: str,
    environment: Environment,
    *,
    since: datetime | None = None,
    limit: int | None = None,
) -> AsyncIterator[ReplayedPromotion]:
    """The decided promotions to an environment, the youngest first, under changed rules.

    Args:
        environment: its gates, groups, keys and delegations are the changed rules.
        since: only promotions that were requested at that time or later.
        limit: at most so many; all by default.

    Raises:
        NotFoundError: there is no such tenant or environment on record.
    """
    freezes = await store.freezes.list(tenant, datetime.now(UTC), past=True)
    before: tuple[datetime, UUID] | None = None
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = await store.promotions.decided(
            tenant, environment.name, since=since, before=before, limit=size
        )
        for row in page:
            yield await _replayed(store, row, environment, freezes)
        if len(page) < size:
            return
        before = (page[-1].started_at, page[-1].id)
        left = None if left is None else left - len(page)


async def _replayed(
    store: Store, row: PromotionRow, environment: Environment, freezes: Sequence[Freeze]
) -> ReplayedPromotion:
    rules = {
        "gates": environment.gates,
        "groups": environment.groups,
        "keys": environment.keys,
        "delegations": environment.delegations,
    }
    changed = row.snapshot.environment.model_copy(update=rules)
    snapshot = ReplayedSnapshot(
        **{**dict(row.snapshot), "environment": changed}, bound_to=row.snapshot.binding
    )
    recorded = {result.name: result for result in row.gates}
    asked = _asked(changed, recorded)
    facts = _pooled(row.gates)
    decided_at = max((result.ended_at for result in row.gates), default=row.started_at)
    questions = []
    for gate in asked:
        then = recorded.get(gate.name)
        at = decided_at if then is None else then.asked_at or then.ended_at
        own = {} if then is None else then.facts
        services = RecordedServices(store, snapshot, {**facts, **own}, freezes, at)
        questions.append(_question(gate, services, then, row.started_at, (at, decided_at)))
    findings = await evaluate(snapshot, row.votes, questions)
    findings = tuple(
        _overridden(finding, gate, recorded.get(gate.name), changed)
        for finding, gate in zip(findings, asked, strict=True)
    )
    verdict = verdict_of(findings)
    if verdict is Verdicts.DENY:
        findings = tuple(_not_needed(each, recorded.get(each.name)) for each in findings)
    gates = [_compared(each, recorded.get(each.name)) for each in findings]
    gates += [_gone(each) for each in row.gates if each.name not in {gate.name for gate in asked}]
    decision = row.decision or Decision.DENY
    return ReplayedPromotion(
        promotion_id=row.id,
        release=row.snapshot.release.ref,
        requested_by=row.snapshot.requested_by,
        requested_at=row.started_at,
        recorded=decision,
        replayed=verdict,
        differs=verdict not in (Verdicts.UNKNOWN, Verdicts(decision.value)),
        gates=tuple(gates),
    )


def _asked(environment: Environment, recorded: dict[str, GateResult]) -> tuple[Gate, ...]:
    """The environment's gates, and the one that stood in for them while the line was stopped."""
    if STOP_THE_LINE.name in recorded and keeper(environment) is STOP_THE_LINE:
        return (*environment.gates, STOP_THE_LINE)
    return environment.gates


def _pooled(results: Iterable[GateResult]) -> dict[str, Json]:
    """What any gate was told, of several answers to one question the last."""
    ordered = sorted(results, key=lambda result: result.asked_at or result.ended_at)
    return {
        question: answer
        for result in ordered
        for question, answer in result.facts.items()
        if question not in _OWN
    }


def _question(
    gate: Gate,
    services: RecordedServices,
    then: GateResult | None,
    requested_at: datetime,
    moments: tuple[datetime, datetime],
) -> Question:
    own = {} if then is None else then.facts
    memory = own.get("memory")
    return Question(
        gate=gate,
        services=services,
        opened_at=requested_at if then is None else then.started_at,
        moments=moments if moments[0] < moments[1] else moments[:1],
        memory=memory if isinstance(memory, dict) else {},
        callbacks=_CALLBACKS.validate_python(own.get("callbacks") or ()),
        instead=_instead(gate, then),
    )


def _instead(gate: Gate, then: GateResult | None) -> Finding | None:
    """What is on record of a gate that is not asked again; None for one that is."""
    if then is not None and then.error is not None:
        outcome = Outcome.PASSED if gate.on_error == "allow" else Outcome.FAILED
        return _recorded(gate, outcome, f"the gate broke: {then.error.message}")
    if gate.type in FROM_RECORD:
        return None
    if then is None or then.type != gate.type:
        return _recorded(gate, Outcome.UNKNOWN, "calls out, and was not asked then", Basis.NONE)
    if then.outcome is GateOutcome.SKIPPED:
        return _recorded(gate, Outcome.UNKNOWN, f"has no say on record: {then.reason}", Basis.NONE)
    return _recorded(gate, Outcome(then.outcome.value), then.reason)


def _recorded(gate: Gate, outcome: Outcome, reason: str, basis: Basis = Basis.RECORDED) -> Finding:
    return Finding(name=gate.name, type=gate.type, outcome=outcome, reason=reason, basis=basis)


def _overridden(
    finding: Finding, gate: Gate, then: GateResult | None, environment: Environment
) -> Finding:
    """The finding, unless somebody had overridden the gate who by the changed rules may as well."""
    override = None if then is None else then.overridden
    may_stand = finding.outcome in (Outcome.FAILED, Outcome.WAITING, Outcome.UNKNOWN)
    if override is None or not may_stand or finding.rejected_by is not None:
        return finding
    people = frozenset[str]() if gate.override is None else gate.override.people(environment.groups)
    if override.user not in people and gate.name != STOP_THE_LINE.name:
        return finding
    reason = f"overridden by {override.user}: {override.reason}"
    return finding.model_copy(
        update={"outcome": Outcome.OVERRIDDEN, "reason": reason, "until": None, "who": ()}
    )


def _not_needed(finding: Finding, then: GateResult | None) -> Finding:
    """In a denial a gate that still waits has no say, nor has one that had none in the denial."""
    was_not_needed = then is not None and then.reason == NOT_NEEDED
    if finding.outcome is Outcome.WAITING or (
        was_not_needed and finding.outcome is not Outcome.FAILED
    ):
        return finding.model_copy(
            update={"outcome": Outcome.SKIPPED, "reason": NOT_NEEDED, "until": None, "who": ()}
        )
    return finding


def _compared(finding: Finding, then: GateResult | None) -> ReplayedGate:
    recorded = None if then is None else then.outcome
    same = recorded is not None and recorded.value == finding.outcome.value
    return ReplayedGate(
        name=finding.name,
        type=finding.type,
        recorded=recorded,
        recorded_reason="" if then is None else then.reason,
        replayed=finding.outcome,
        reason=finding.reason,
        basis=finding.basis,
        until=finding.until,
        differs=not same and finding.outcome is not Outcome.UNKNOWN,
    )


def _gone(then: GateResult) -> ReplayedGate:
    return ReplayedGate(
        name=then.name,
        type=then.type,
        recorded=then.outcome,
        recorded_reason=then.reason,
        replayed=None,
        reason="there is no such gate any more",
        differs=True,
    )
