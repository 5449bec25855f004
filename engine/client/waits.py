"""What a promotion in flight waits for now, at each span that waits."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from uuid import UUID

from pydantic import Field
from temporalio.client import Client

from engine.client.execution import Execution, find, parsed
from engine.client.pending import PendingTask, pending_tasks
from engine.client.state import state_of
from engine.client.translation import translated
from engine.client.workers import NoWorkerError
from engine.errors import PromotionEngineError
from engine.model.base import Timestamp, Value
from engine.model.execution import StepStatus
from engine.model.lock import LockRequest, LockState, lock_workflow_id
from engine.model.promotion import PromotionState, PromotionStatus
from engine.model.verdict import GateState
from engine.telemetry import names

_QUERY_LOCK = "state"


class WaitKind(StrEnum):
    """What has to happen."""

    APPROVAL = "approval"
    PERSON = "person"
    TIME = "time"
    LOCK = "lock"
    AGENT = "agent"
    RETRY = "retry"
    WORKER = "worker"


class Wait(Value):
    """One thing that a promotion waits for. What does not belong to its kind is None or empty.

    Attributes:
        kind: `approval` of people, a `person` who lets a step go on or has it tried again, a `time`
            at which a freeze ends, the `lock` of the environment, an `agent` to take or finish a
            task, a `retry` of a task or step that failed, a `worker`.
        span_name: of the open span whose work waits.
        span_key: the attribute that tells it from others of its name, and `span_value` its value.
        text: all of it in words for a person.
        until: when it goes on, or gives up, by itself.
        who: the people who may still approve, by name.
        needed: how many of them have to.
        holder: the promotion that holds the environment.
        position: the place in the environment's queue; 1 is the next.
        agent, task, target: which task on which agent.
        polled_at: when the agent last asked for tasks; None when it has not for minutes.
        attempt: of the task, 1 for the first; the next one for a retry.
        last_failure: what the attempt before this one failed with.
    """

    kind: WaitKind
    span_name: str
    span_key: str
    span_value: str
    text: str
    until: Timestamp | None = None
    who: tuple[str, ...] = ()
    needed: int | None = Field(default=None, ge=0)
    holder: UUID | None = None
    position: int | None = Field(default=None, ge=1)
    agent: str = ""
    task: str = ""
    target: str = ""
    polled_at: Timestamp | None = None
    attempt: int | None = Field(default=None, ge=1)
    last_failure: str = ""


async def waits_of(client: Client, ref: str | UUID) -> tuple[Wait, ...]:
    """What the promotion `ref` waits for now; nothing once it has ended.

    Raises:
        NotFoundError: there is no such promotion.
        InputError: its request was refused.
        UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    if not execution.is_open:
        return ()
    try:
        state = await state_of(execution)
    except NoWorkerError as error:
        return (_at_root(execution.promotion_id, WaitKind.WORKER, str(error)),)
    return (*_gates(state), *_steps(state), *_freezes(state), *await outside(execution, state))


async def outside(execution: Execution, state: PromotionState) -> tuple[Wait, ...]:
    """What an open promotion waits for that its workflow cannot tell: lock, agents, workers.

    Raises:
        UnreachableError, PromotionEngineError.
    """
    waits: list[Wait] = []
    if state.status is PromotionStatus.QUEUED:
        waits.append(await _lock(execution.client, state))
    tasks, stuck = await pending_tasks(execution)
    waits += [_task(task) for task in tasks]
    waits += [
        _at_root(state.promotion_id, WaitKind.WORKER, text, attempt=attempt)
        for text, attempt in stuck
    ]
    return tuple(waits)


def _at_root(
    promotion_id: UUID,
    kind: WaitKind,
    text: str,
    *,
    holder: UUID | None = None,
    position: int | None = None,
    attempt: int | None = None,
) -> Wait:
    return Wait(
        kind=kind,
        span_name=names.PROMOTION_REQUEST,
        span_key=names.PROMOTION_ID,
        span_value=str(promotion_id),
        text=text,
        holder=holder,
        position=position,
        attempt=attempt,
    )


def _gates(state: PromotionState) -> Iterator[Wait]:
    for gate in state.gates:
        if gate.result is None and gate.waiting_for:
            yield Wait(
                kind=WaitKind.APPROVAL if gate.who else WaitKind.TIME,
                span_name=names.gate(gate.type),
                span_key=names.GATE_NAME,
                span_value=gate.name,
                text=gate.waiting_for,
                until=gate.until,
                who=gate.who,
                needed=_needed(gate),
            )


def _needed(gate: GateState) -> int | None:
    missing = gate.attributes.get("approval.missing")
    if isinstance(missing, int):
        return missing
    required = gate.attributes.get("approval.required")
    received = gate.attributes.get("approval.received")
    if isinstance(required, int) and isinstance(received, int):
        return max(0, required - received)
    return None


def _steps(state: PromotionState) -> Iterator[Wait]:
    for step in state.steps:
        is_retried = step.status == StepStatus.RUNNING and step.until is not None
        if is_retried or step.status in (StepStatus.WAITING, StepStatus.HALTED):
            yield Wait(
                kind=WaitKind.RETRY if is_retried else _KINDS.get(step.acts, WaitKind.TIME),
                span_name=names.step(step.type),
                span_key=names.STEP_NODE_ID,
                span_value=step.node_id,
                text=step.detail,
                until=step.until,
                who=step.who,
                attempt=step.attempt,
            )


_KINDS = {
    "approve": WaitKind.APPROVAL,
    "advance": WaitKind.PERSON,
    "retry": WaitKind.PERSON,
}


def _freezes(state: PromotionState) -> Iterator[Wait]:
    """The freezes that no step waits for, so that nothing is under way yet."""
    told = {step.detail for step in state.steps if step.status == StepStatus.WAITING}
    for closure in state.pauses:
        if closure.reason not in told:
            wait = _at_root(state.promotion_id, WaitKind.TIME, closure.reason)
            yield wait.model_copy(update={"until": closure.until})


async def _lock(client: Client, state: PromotionState) -> Wait:
    lock = client.get_workflow_handle(lock_workflow_id(state.tenant, state.environment))
    try:
        with translated("ask who deploys to the environment"):
            answer = await lock.query(_QUERY_LOCK)
        found = parsed(LockState, answer)
    except PromotionEngineError:
        # It has just ended, or was not started yet.
        found = LockState()
    queue = [one.promotion_id for one in found.queue]
    position = queue.index(state.promotion_id) + 1 if state.promotion_id in queue else None
    holder = found.holder
    if holder is not None and holder.promotion_id == state.promotion_id:
        holder = None
    return _at_root(
        state.promotion_id,
        WaitKind.LOCK,
        _turn(state.environment, holder, position),
        holder=None if holder is None else holder.promotion_id,
        position=position,
    )


def _turn(environment: str, holder: LockRequest | None, position: int | None) -> str:
    text = f"its turn in {environment}"
    if holder is not None:
        text += f", where {holder.release} of promotion {holder.promotion_id} deploys"
    if position is not None:
        text += "; it is next" if position == 1 else f"; it is number {position} in the queue"
    return text


def _task(task: PendingTask) -> Wait:
    return Wait(
        kind=WaitKind.RETRY if task.is_retry else WaitKind.AGENT,
        span_name=names.agent_task(task.type),
        span_key=names.TASK_ID,
        span_value=str(task.task_id),
        text=task.text,
        until=task.until,
        agent=task.agent,
        task=task.type,
        target=task.target,
        polled_at=task.polled_at,
        attempt=task.attempt,
        last_failure=task.last_failure,
    )
