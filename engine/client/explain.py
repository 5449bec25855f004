"""Why a promotion is not further: its own word, and what only the server can tell."""

from __future__ import annotations

from uuid import UUID

from temporalio.client import Client

from engine.client.contract import QUERY_EXPLAIN
from engine.client.execution import Execution, attribute, find, parsed, request_of
from engine.client.state import state_of
from engine.client.translation import translated
from engine.client.waits import Wait, WaitKind, outside
from engine.client.workers import NoWorkerError
from engine.errors import PromotionEngineError
from engine.model.obstacle import Action, Explanation, Obstacle, ObstacleKind
from engine.model.promotion import PromotionState, PromotionStatus
from engine.model.search_attributes import PROMOTION_STATUS
from engine.policy.explanation import explain as told_by
from engine.policy.explanation import hindered


async def explain(client: Client, ref: str | UUID) -> Explanation:
    """Why the promotion `ref` is not further, or why it ended as it did.

    Raises:
        NotFoundError: there is no such promotion.
        InputError: its request was refused.
        UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    try:
        state = await state_of(execution)
    except NoWorkerError as error:
        return await _without_worker(execution, error)
    told = await _told(execution, state)
    if not execution.is_open or told.ending is not None:
        return told
    waits = await outside(execution, state)
    return hindered(told, (*told.obstacles, *(_obstacle(wait) for wait in waits)), state.progress)


async def with_obstacles(client: Client, state: PromotionState) -> PromotionState:
    """The state of an open promotion with everything that it waits for in `waiting_for`.

    A state by itself tells of gates, steps and freezes; lock, agents and workers are added.

    Raises:
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    if state.status.is_final:
        return state
    told = await explain(client, state.promotion_id)
    texts = dict.fromkeys(each.text for each in told.obstacles)
    return state.model_copy(update={"waiting_for": "; ".join(texts)}) if texts else state


async def _told(execution: Execution, state: PromotionState) -> Explanation:
    """The workflow's own explanation; one from its state where it is of another, or cannot tell."""
    try:
        with translated("ask the promotion why it is not further"):
            answer = await execution.handle.query(QUERY_EXPLAIN)
        told = parsed(Explanation, answer)
    except PromotionEngineError:
        return told_by(state)
    return told if told.status is state.status else told_by(state)


async def _without_worker(execution: Execution, error: NoWorkerError) -> Explanation:
    request = await request_of(execution)
    known = attribute(execution.description, PROMOTION_STATUS)
    bare = Explanation(
        promotion_id=execution.promotion_id,
        release=request.release,
        environment=request.environment,
        tenant=request.tenant,
        status=PromotionStatus(known) if known else PromotionStatus.PENDING,
        summary="",
    )
    start = Action(what="start a worker", command="promote worker")
    obstacle = Obstacle(
        kind=ObstacleKind.WORKER, where="the promotion", text=str(error), actions=(start,)
    )
    return hindered(bare, [obstacle])


_KINDS = {
    WaitKind.LOCK: ObstacleKind.LOCK,
    WaitKind.AGENT: ObstacleKind.AGENT,
    WaitKind.RETRY: ObstacleKind.RETRY,
    WaitKind.WORKER: ObstacleKind.WORKER,
}


def _obstacle(wait: Wait) -> Obstacle:
    where, actions = "the promotion", list[Action]()
    until, deadline = wait.until, None
    if wait.kind is WaitKind.LOCK:
        where = "the environment's lock"
        if wait.holder is not None:
            command = f"promote explain {wait.holder}"
            actions.append(Action(what="see why the one before it is not further", command=command))
    elif wait.agent:
        where = f"agent {wait.agent}"
        if wait.polled_at is None:
            command = f"promote agent --id {wait.agent}"
            actions.append(Action(what="start the agent", command=command))
        if wait.kind is WaitKind.AGENT:
            # The agent is given up then; the promotion does not go on by itself.
            until, deadline = None, wait.until
    return Obstacle(
        kind=_KINDS[wait.kind],
        where=where,
        text=wait.text,
        until=until,
        deadline=deadline,
        actions=tuple(actions),
    )
