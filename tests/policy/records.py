"""Promotions on record, decided by the gates' own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from temporalio.testing import ActivityEnvironment

from activities.gate import GateActivities
from engine.gates.asking import NOT_NEEDED
from engine.gates.protocol import GateContext
from engine.model import identity
from engine.model.approval import Vote, VoteDecision
from engine.model.environment import Environment, EnvironmentDefinition, Gate
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.release import Release
from engine.model.verdict import (
    Allow,
    Decision,
    Defer,
    Deny,
    GateOutcome,
    GateResult,
    Override,
    Verdict,
)
from engine.store.store import Store
from tests.store.samples import REPORT, TENANT, contents, definition, release

OUTCOMES = {Allow: GateOutcome.PASSED, Deny: GateOutcome.FAILED}
APPROVAL = Gate(
    type="approval", name="approval", config={"required": 1, "groups": ["release-managers"]}
)


def environment(*gates: Gate, name: str = "production", order: int = 1) -> EnvironmentDefinition:
    """An environment with these gates."""
    found = definition(name, order=order)
    update = {"gates": gates}
    return found.model_copy(update={"environment": found.environment.model_copy(update=update)})


def rules(*gates: Gate) -> Environment:
    """The rules that a replay is made with."""
    return environment(*gates).environment


@dataclass
class Past:
    """Promotions to one environment that are over."""

    store: Store
    definition: EnvironmentDefinition
    number: int = 0
    ids: list[UUID] = field(default_factory=list)

    async def begin(self) -> Past:
        """Apply the environment."""
        await self.store.environments.apply(self.definition)
        return self

    async def decided(
        self,
        requested_at: datetime,
        *,
        votes: Sequence[str | tuple[str, str]] = (),
        after: timedelta = timedelta(hours=1),
        of: Release | None = None,
        report: bytes = REPORT,
        given: dict[str, GateResult] | None = None,
        overrides: Sequence[Override] = (),
        rollback: bool = False,
    ) -> UUID:
        """One more promotion, all of whose gates had their last word `after` its request.

        Args:
            votes: users, or users with what they said, all just before the decision.
            given: results of gates that call out.
        """
        self.number += 1
        wanted = of or release(report=report)
        await self.store.releases.register(TENANT, wanted, contents(report))
        snapshot = PromotionSnapshot(
            promotion_id=identity.promotion_id(f"past-{self.number}", "run"),
            workflow_id=f"past-{self.number}",
            tenant=TENANT,
            tenant_id=self.definition.environment.tenant_id,
            release=wanted,
            environment=self.definition.environment,
            target_count=len(self.definition.targets),
            requested_by="alice",
            user_id=identity.user_id(self.definition.environment.tenant_id, "alice"),
            is_rollback=rollback,
            requested_at=requested_at,
        )
        promotion, now = snapshot.promotion_id, requested_at + after
        await self.store.promotions.open(snapshot, snapshot.workflow_id, "run-1", "0" * 32)
        cast = [_vote(snapshot, one, now) for one in votes]
        for vote in cast:
            await self.store.promotions.record_vote(promotion, vote)
        results = [
            (given or {}).get(gate.name)
            or await self._result(snapshot, gate, cast, requested_at, now, overrides)
            for gate in self.definition.environment.gates
        ]
        good = (GateOutcome.PASSED, GateOutcome.OVERRIDDEN, GateOutcome.SKIPPED)
        waits = any(result.reason == NOT_NEEDED for result in results)
        failed = any(result.outcome not in good for result in results)
        assert failed or not waits, "a promotion that waits is not over"
        for result in results:
            await self.store.promotions.record_gate(promotion, result)
        status = PromotionStatus.DENIED if failed else PromotionStatus.SUCCEEDED
        decision = Decision.DENY if failed else Decision.ALLOW
        await self.store.promotions.record_status(promotion, status, decision, at=now)
        self.ids.append(promotion)
        return promotion

    async def _result(
        self,
        snapshot: PromotionSnapshot,
        gate: Gate,
        votes: Sequence[Vote],
        opened_at: datetime,
        now: datetime,
        overrides: Sequence[Override],
    ) -> GateResult:
        context = GateContext(
            gate=gate, promotion=snapshot, votes=tuple(votes), opened_at=opened_at, now=now
        )
        answer = await ActivityEnvironment().run(GateActivities(self.store).evaluate, context)
        verdict = answer.verdict
        override = next((each for each in overrides if each.gate == gate.name), None)
        outcome, reason = _end(verdict)
        if override is not None and not isinstance(verdict, Allow):
            outcome, reason = GateOutcome.OVERRIDDEN, f"overridden by {override.user}"
        else:
            override = None
        return GateResult(
            name=gate.name,
            type=gate.type,
            outcome=outcome,
            reason=reason,
            attributes=verdict.attributes,
            facts=verdict.facts,
            asked_at=verdict.asked_at,
            overridden=override,
            rejected_by=verdict.rejected_by if isinstance(verdict, Deny) else None,
            started_at=opened_at,
            ended_at=now,
        )


def _end(verdict: Verdict) -> tuple[GateOutcome, str]:
    if isinstance(verdict, Defer):
        return GateOutcome.SKIPPED, NOT_NEEDED
    return OUTCOMES.get(type(verdict), GateOutcome.SKIPPED), verdict.reason


def _vote(snapshot: PromotionSnapshot, given: str | tuple[str, str], now: datetime) -> Vote:
    user, said = (given, "approve") if isinstance(given, str) else given
    return Vote(
        user=user,
        decision=VoteDecision(said),
        binding=snapshot.binding,
        at=now - timedelta(seconds=1),
    )


def called(gate: Gate, outcome: GateOutcome, at: datetime, *, broke: bool = False) -> GateResult:
    """The result of a gate that calls out."""
    return GateResult(
        name=gate.name,
        type=gate.type,
        outcome=outcome,
        reason="as the other side said",
        error=Failure(type="GateError", message="no answer") if broke else None,
        asked_at=at,
        started_at=at,
        ended_at=at,
    )
