"""Where a promotion stands, open or closed, with or without a worker."""

from __future__ import annotations

from datetime import timedelta

from engine.client.contract import QUERY_STATUS
from engine.client.execution import Execution, parsed, request_of
from engine.client.outcome import CutOffError, result_of
from engine.client.translation import translated
from engine.client.workers import NoWorkerError, is_polled
from engine.errors import PromotionEngineError, UnreachableError
from engine.model.failure import Failure
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.model.verdict import GateState

_ANSWER_WITHIN = timedelta(seconds=10)


async def state_of(execution: Execution) -> PromotionState:
    """The promotion's state.

    An open promotion is asked, for which a worker is needed. For a closed one its result is the
    truth, and the workflow's last state adds steps and votes when a worker can tell it.

    Raises:
        NoWorkerError: the promotion is open and nobody works on it.
        InputError, NotFoundError: the request was refused.
        UnreachableError, PromotionEngineError.
    """
    if execution.is_open:
        return await _ask(execution)
    try:
        result = await result_of(execution)
    except CutOffError as error:
        return await _cut_off(execution, error.failure)
    try:
        last = await _ask(execution)
    except PromotionEngineError:
        last = None
    return _final(result, last)


async def _ask(execution: Execution) -> PromotionState:
    """The workflow's own answer."""
    if not await is_polled(execution.client):
        raise NoWorkerError
    try:
        with translated("ask the promotion where it stands"):
            answer = await execution.handle.query(QUERY_STATUS, rpc_timeout=_ANSWER_WITHIN)
    except UnreachableError as error:
        raise NoWorkerError from error
    return parsed(PromotionState, answer)


def _final(result: PromotionResult, last: PromotionState | None) -> PromotionState:
    gates = tuple(GateState(name=gate.name, type=gate.type, result=gate) for gate in result.gates)
    base = last or PromotionState(
        promotion_id=result.promotion_id,
        status=result.status,
        release=result.release,
        environment=result.environment,
        tenant=result.tenant,
        requested_by=result.requested_by,
        requested_at=result.started_at,
    )
    return base.model_copy(
        update={
            "status": result.status,
            "decision": result.decision or base.decision,
            "gates": gates or base.gates,
            "failure": result.failure,
            "evidence": result.evidence or base.evidence,
            "superseded_by": result.superseded_by,
            "trace_id": result.trace_id or base.trace_id,
            "waiting_for": "",
        }
    )


async def _cut_off(execution: Execution, failure: Failure) -> PromotionState:
    request = await request_of(execution)
    return PromotionState(
        promotion_id=execution.promotion_id,
        status=PromotionStatus.ERRORED,
        release=request.release,
        environment=request.environment,
        tenant=request.tenant,
        requested_by=request.requested_by,
        requested_at=execution.description.start_time,
        failure=failure,
    )
