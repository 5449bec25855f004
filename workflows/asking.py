"""Asking one gate, again and again, until it has its last word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.gate import GateActivities
    from engine.gates.asking import FROM_RECORD
    from engine.gates.protocol import GateContext
    from engine.model.base import Json
    from engine.model.environment import Gate
    from engine.model.promotion import PromotionSnapshot
    from engine.model.verdict import Allow, Defer, Deny, GateResult, Override, Skip, Verdict
    from workflows.occasions import Occasions
    from workflows.options import CALLING_OUT, SHORT
    from workflows.reminding import Reminding


async def ask(
    gate: Gate,
    promotion: PromotionSnapshot,
    occasions: Occasions,
    opened_at: datetime,
    memory: dict[str, Json],
    results: tuple[GateResult, ...] = (),
) -> Verdict:
    """Ask one gate for its verdict now.

    Raises:
        FailureError: the gate broke.
    """
    context = GateContext(
        gate=gate,
        promotion=promotion,
        votes=occasions.votes,
        results=results,
        callbacks=tuple(each for each in occasions.callbacks if each.gate == gate.name),
        memory=memory,
        opened_at=opened_at,
        now=workflow.now(),
    )
    summary = f"gate {gate.name}"
    if gate.type in FROM_RECORD:
        answer = await workflow.execute_local_activity_method(
            GateActivities.evaluate, context, summary=summary, **SHORT
        )
    else:
        answer = await workflow.execute_activity_method(
            GateActivities.evaluate, context, summary=summary, **CALLING_OUT
        )
    return answer.verdict


async def settle(
    gate: Gate,
    promotion: PromotionSnapshot,
    occasions: Occasions,
    opened_at: datetime,
    deferred: Callable[[Defer], None],
    results: Callable[[], tuple[GateResult, ...]] = tuple,
    is_last: Callable[[], bool] = lambda: True,
    overruled: Callable[[Verdict], None] = lambda _: None,
) -> Allow | Deny | Skip | Override:
    """Ask a gate again and again, at the times that it names, until it has its last word.

    An override counts for a gate that waits, denies or breaks, and not for one that allows: what
    is on record as overridden would have stopped the promotion. It does not count against somebody
    who rejects.

    Args:
        results: the last words of the other gates so far.
        is_last: whether an `Allow` may stand. While it may not, the gate waits and is asked again.
        overruled: told of the verdict in whose place the override is.

    Raises:
        FailureError: the gate broke.
    """
    memory: dict[str, Json] = {}
    reminding = Reminding(gate, promotion)
    while True:
        seen = occasions.count
        try:
            verdict = await ask(gate, promotion, occasions, opened_at, memory, results())
        except FailureError as error:
            override = occasions.override_of(gate.name)
            if override is None or is_cancelled_exception(error):
                raise
            return override
        override = occasions.override_of(gate.name)
        if override is not None and _can_be_overridden(verdict):
            overruled(verdict)
            return override
        if isinstance(verdict, Deny | Skip):
            return verdict
        if isinstance(verdict, Allow):
            if occasions.count != seen:
                # What was said while the gate decided may be a rejection.
                continue
            if is_last():
                return verdict
            deferred(_for_now(verdict, memory))
            await occasions.next(seen, None)
            continue
        memory = verdict.memory
        deferred(verdict)
        reminding.on(verdict)
        await occasions.next(seen, _earliest(verdict.until, verdict.recheck_at))
        override = occasions.override_of(gate.name)
        if override is not None:
            return override


def _for_now(verdict: Allow, memory: dict[str, Json]) -> Defer:
    return Defer(
        reason=f"{verdict.reason}; looks again when the other gates have decided",
        attributes=verdict.attributes,
        inputs=verdict.inputs,
        evidence=verdict.evidence,
        memory=memory,
    )


def _can_be_overridden(verdict: Verdict) -> bool:
    if isinstance(verdict, Deny):
        return verdict.rejected_by is None
    return isinstance(verdict, Defer)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
