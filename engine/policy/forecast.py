"""Whether a release would be allowed into an environment now, before anybody asks for it."""

from __future__ import annotations

from datetime import datetime

from engine.gates.asking import FROM_RECORD
from engine.gates.freezes import STOP_THE_LINE, keeper
from engine.model import identity
from engine.model.base import Timestamp, Value
from engine.model.environment import Gate
from engine.model.promotion import PromotionSnapshot
from engine.policy.evaluation import (
    Basis,
    Finding,
    Outcome,
    Question,
    Verdicts,
    evaluate,
    verdict_of,
)
from engine.policy.services import StoreServices
from engine.store.store import Store

_NOBODYS = identity.promotion_id("forecast", "forecast")


class Forecast(Value):
    """What the gates of an environment would say to a release now, without any vote.

    Attributes:
        decision: `wait` is said where nothing denies and something waits.
        gates: one finding each, in the environment's order.
    """

    release: str
    environment: str
    tenant: str
    requested_by: str
    at: Timestamp
    decision: Verdicts
    gates: tuple[Finding, ...]


async def forecast(
    store: Store,
    tenant: str,
    environment: str,
    release: str,
    *,
    requested_by: str,
    rollback: bool = False,
    now: datetime,
    call: bool = False,
) -> Forecast:
    """Ask all gates for `now`, and change nothing.

    Args:
        release: `name@version`, or its id.
        call: whether gates that call out (http, command, metric, plugin) are asked as well, which
            those whom they call will notice.

    Raises:
        NotFoundError: there is no such tenant, environment or release.
        InputError: `release` is no such name.
    """
    definition = await store.environments.get(tenant, environment)
    rules = definition.environment
    snapshot = PromotionSnapshot(
        promotion_id=_NOBODYS,
        workflow_id=f"promotion/{_NOBODYS}",
        tenant=definition.tenant,
        tenant_id=rules.tenant_id,
        release=await store.releases.get(tenant, release),
        environment=rules,
        target_count=len(definition.targets),
        requested_by=requested_by,
        user_id=identity.user_id(rules.tenant_id, requested_by),
        parameters=rules.parameters,
        is_rollback=rollback,
        requested_at=now,
    )
    services = StoreServices(store, snapshot)
    gates = rules.gates
    if keeper(rules) is STOP_THE_LINE and await services.freezes():
        gates = (*gates, STOP_THE_LINE)
    questions = [
        Question(
            gate=gate,
            services=services,
            opened_at=now,
            moments=(now,),
            instead=None if call or gate.type in FROM_RECORD else _not_called(gate),
        )
        for gate in gates
    ]
    findings = await evaluate(snapshot, (), questions)
    return Forecast(
        release=snapshot.release.ref,
        environment=rules.name,
        tenant=definition.tenant,
        requested_by=requested_by,
        at=now,
        decision=verdict_of(findings),
        gates=findings,
    )


def _not_called(gate: Gate) -> Finding:
    return Finding(
        name=gate.name,
        type=gate.type,
        outcome=Outcome.UNKNOWN,
        reason="calls out, and was not asked; ask it with --call",
        basis=Basis.NONE,
    )
