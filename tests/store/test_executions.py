from __future__ import annotations

from itertools import permutations
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from engine.errors import NotFoundError
from engine.model import identity
from engine.model.agent_task import TaskStatus, TaskType
from engine.model.deployment import JobStatus
from engine.model.execution import StepResult, StepStatus
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot
from engine.store.database import Database
from engine.store.store import Store
from engine.store.tables import DeploymentJobRecord, StepRunRecord, WorkflowRunRecord
from tests.store.counting import statements
from tests.store.samples import (
    after,
    definition,
    opened,
    result,
    running,
    start_job,
    tasks,
)


async def record_run(
    store: Store, promotion: UUID, status: StepStatus, ended: float | None = None
) -> None:
    await store.executions.record_run(
        promotion,
        identity.workflow_run_id(promotion),
        "standard",
        "1",
        status,
        after(10),
        None if ended is None else after(ended),
    )


def step(promotion: UUID, status: StepStatus, ended: float) -> StepResult:
    return StepResult(
        node_id="deploy",
        type="deploy",
        run_id=identity.step_run_id(promotion, "deploy"),
        status=status,
        detail="3 targets",
        failure=Failure(type="DriverError", message="x") if status is StepStatus.FAILED else None,
        inputs={"strategy": {"type": "rolling", "batch_size": "50%"}},
        started_at=after(11),
        ended_at=after(ended),
    )


async def test_a_run_ends_once_in_whatever_order_the_writes_arrive(
    store: Store, database: Database
) -> None:
    writes: list[tuple[StepStatus, float | None]] = [
        (StepStatus.RUNNING, None),
        (StepStatus.SUCCEEDED, 50),
        (StepStatus.RUNNING, None),
    ]
    for number, order in enumerate(permutations(writes)):
        promotion = (await opened(store, number)).promotion_id
        for status, ended in order:
            await record_run(store, promotion, status, ended)
        async with database.read() as session:
            run = await session.get_one(WorkflowRunRecord, identity.workflow_run_id(promotion))
        assert (run.promotion_id, run.template, run.template_version) == (
            promotion,
            "standard",
            "1",
        )
        assert (run.status, run.started_at, run.ended_at) == (
            StepStatus.SUCCEEDED,
            after(10),
            after(50),
        )


async def test_a_step_is_recorded_once_with_its_latest_end(
    store: Store, database: Database
) -> None:
    promotion = (await opened(store)).promotion_id
    await record_run(store, promotion, StepStatus.RUNNING)
    failed, retried = (
        step(promotion, StepStatus.FAILED, 20),
        step(promotion, StepStatus.SUCCEEDED, 40),
    )
    for item in (failed, failed, retried, failed):
        await store.executions.record_step(promotion, item)
    async with database.read() as session:
        [row] = await session.scalars(select(StepRunRecord))
    assert row.run_id == identity.workflow_run_id(promotion)
    assert (row.id, row.node_id, row.type, row.status) == (
        retried.run_id,
        "deploy",
        "deploy",
        StepStatus.SUCCEEDED,
    )
    assert (row.detail, row.failure, row.inputs) == ("3 targets", None, retried.inputs)
    assert (row.started_at, row.ended_at) == (after(11), after(40))


async def test_the_steps_of_a_promotion_come_back_in_the_order_of_their_ends(
    store: Store,
) -> None:
    promotion, other = (await opened(store)).promotion_id, (await opened(store, 2)).promotion_id
    await record_run(store, promotion, StepStatus.RUNNING)
    first = step(promotion, StepStatus.SUCCEEDED, 20).model_copy(
        update={
            "run_id": identity.step_run_id(promotion, "made"),
            "node_id": "made",
            "outputs": {"count": 3},
            "attempt": 2,
            "taken_over_from": other,
        }
    )
    failed = step(promotion, StepStatus.FAILED, 30)
    back = first.model_copy(
        update={
            "run_id": identity.compensation_run_id(promotion, "made"),
            "compensates": "made",
            "ended_at": after(40),
        }
    )
    for item in (back, failed, first):
        await store.executions.record_step(promotion, item)
    assert await store.executions.steps(promotion) == (first, failed, back)
    assert await store.executions.steps(other) == ()


async def test_another_run_in_the_environment_is_told_when_it_began_later(store: Store) -> None:
    snapshots = [await opened(store, number) for number in (1, 2, 3)]
    first, second, never = (each.promotion_id for each in snapshots)
    environment = snapshots[0].environment.id
    await record_run(store, first, StepStatus.FAILED, 20)
    assert await store.executions.run_after(first, environment) is None
    await store.executions.record_run(
        second,
        identity.workflow_run_id(second),
        "standard",
        "1",
        StepStatus.RUNNING,
        after(30),
        None,
    )
    assert await store.executions.run_after(first, environment) == second
    assert await store.executions.run_after(second, environment) is None
    assert await store.executions.run_after(never, environment) is None
    assert await store.executions.run_after(first, identity.environment_id(never, "x")) is None


async def test_a_job_that_has_ended_is_not_running_again(store: Store, database: Database) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    await store.executions.record_job(
        promotion.promotion_id,
        job,
        "deploy",
        "rolling",
        JobStatus.FAILED,
        3,
        2,
        after(30),
        after(60),
    )
    await start_job(store, promotion)
    async with database.read() as session:
        [row] = await session.scalars(select(DeploymentJobRecord))
    assert (row.id, row.node_id, row.strategy, row.status) == (
        job,
        "deploy",
        "rolling",
        JobStatus.FAILED,
    )
    assert (row.target_count, row.batch_size) == (3, 2)
    assert (row.started_at, row.ended_at) == (after(30), after(60))


async def test_assigned_tasks_are_on_record_before_they_have_a_result(store: Store) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    work = tasks(promotion, definition().targets)
    await store.executions.assign_tasks(job, work)
    found = await store.executions.tasks(job)
    assert {row.task_id for row in found} == {task.id for task in work}
    assert {row.status for row in found} == {TaskStatus.ASSIGNED}
    assert {(row.started_at, row.ended_at) for row in found} == {(None, None)}
    assert {row.agent for row in found} == {"agent-a"}


async def test_a_result_survives_late_assignment_and_repetition(store: Store) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    work = tasks(promotion, definition().targets)
    done = [result(task, running(promotion)) for task in work[:2]]
    earlier = [result(work[0], None, status=TaskStatus.FAILED, ended=50)]
    await store.executions.assign_tasks(job, work)
    for results in (earlier, done, earlier, done):
        await store.executions.record_tasks(job, results)
    await store.executions.assign_tasks(job, work)
    found = {row.task_id: row for row in await store.executions.tasks(job)}
    assert len(found) == len(work)
    for wanted in done:
        row = found[wanted.task_id]
        assert row.model_dump() == wanted.model_dump()
    assert {found[task.id].status for task in work[2:]} == {TaskStatus.ASSIGNED}


async def end_job(store: Store, promotion: PromotionSnapshot, ended: float) -> UUID:
    job = identity.job_id(promotion.promotion_id, "deploy")
    await store.executions.record_job(
        promotion.promotion_id,
        job,
        "deploy",
        "rolling",
        JobStatus.FAILED,
        3,
        2,
        after(30),
        after(ended),
    )
    return job


async def test_tasks_that_never_began_are_skipped_once_their_job_has_ended(store: Store) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    work = tasks(promotion, definition().targets)
    await store.executions.assign_tasks(job, work)
    await end_job(store, promotion, 60)
    await store.executions.record_tasks(job, [result(work[0], running(promotion))])
    # A late repetition of the assignment assigns nothing.
    await store.executions.assign_tasks(job, work)
    found = {row.task_id: row.status for row in await store.executions.tasks(job)}
    assert found.pop(work[0].id) is TaskStatus.SUCCEEDED
    assert set(found.values()) == {TaskStatus.SKIPPED}
    assert len(found) == len(work) - 1


async def test_a_job_that_begins_anew_assigns_what_was_skipped_and_keeps_what_was_done(
    store: Store, database: Database
) -> None:
    promotion = await opened(store)
    work = tasks(promotion, definition().targets)
    job = await start_job(store, promotion)
    await store.executions.assign_tasks(job, work)
    await end_job(store, promotion, 60)
    await store.executions.record_tasks(job, [result(work[0], running(promotion))])
    await start_job(store, promotion, started=61)
    await store.executions.assign_tasks(job, work)
    async with database.read() as session:
        [row] = await session.scalars(select(DeploymentJobRecord))
    assert (row.status, row.started_at, row.ended_at) == (JobStatus.RUNNING, after(61), None)
    found = {row.task_id: row.status for row in await store.executions.tasks(job)}
    assert found.pop(work[0].id) is TaskStatus.SUCCEEDED
    assert set(found.values()) == {TaskStatus.ASSIGNED}


async def test_tasks_are_listed_in_the_order_of_their_start(store: Store) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    work = tasks(promotion, definition().targets)
    await store.executions.assign_tasks(job, work)
    ended = {task.id: 100.0 - 10 * number for number, task in enumerate(work[:4])}
    await store.executions.record_tasks(
        job, [result(task, None, ended=ended[task.id]) for task in work[:4]]
    )
    order = [row.task_id for row in await store.executions.tasks(job)]
    assert order[:4] == sorted(ended, key=lambda task: ended[task])


async def test_thousands_of_tasks_take_as_few_statements_as_one(
    store: Store, database: Database
) -> None:
    promotion = await opened(store)
    wanted = definition(targets=[f"web-{number}" for number in range(3000)])
    await store.environments.apply(wanted)
    job = await start_job(store, promotion)
    work = tasks(promotion, wanted.targets)
    with statements(database) as seen:
        await store.executions.assign_tasks(job, work)
        await store.executions.record_tasks(job, [result(task, None) for task in work])
    # Each writes the rows and then settles those without a result.
    assert len(seen) == 4
    with statements(database) as seen:
        assert len(await store.executions.tasks(job)) == 6000
    assert len(seen) == 1


async def test_what_runs_is_the_last_successful_deployment_of_each_target(store: Store) -> None:
    first = await opened(store, 1, "1.0")
    targets = definition().targets
    environment = first.environment.id
    assert {(row.running, row.since) for row in await store.executions.running(environment)} == {
        (None, None)
    }
    job = await start_job(store, first)
    await store.executions.record_tasks(
        job, [result(task, running(first), ended=60) for task in tasks(first, targets)]
    )
    second = await opened(store, 2, "2.0")
    job = await start_job(store, second)
    pull_1, deploy_1, pull_2, deploy_2, *_ = tasks(second, targets)
    assert (pull_2.type, deploy_2.type) == (TaskType.PULL, TaskType.DEPLOY)
    await store.executions.assign_tasks(job, tasks(second, targets))
    await store.executions.record_tasks(
        job,
        [
            result(pull_1, running(second), ended=70),
            result(deploy_1, running(second), ended=71),
            result(pull_2, running(second), ended=72),
            result(deploy_2, running(first), status=TaskStatus.FAILED, ended=73),
        ],
    )
    found = await store.executions.running(environment)
    assert [(row.target, row.running, row.since) for row in found] == [
        ("web-2", running(second), after(71)),
        ("web-1", running(first), after(60)),
        ("web-3", running(first), after(60)),
    ]


async def test_what_runs_is_one_statement(store: Store, database: Database) -> None:
    promotion = await opened(store)
    with statements(database) as seen:
        assert len(await store.executions.running(promotion.environment.id)) == 3
    assert len(seen) == 1


async def test_recording_nothing_is_nothing(store: Store) -> None:
    await store.executions.assign_tasks(uuid4(), [])
    await store.executions.record_tasks(uuid4(), [])
    assert await store.executions.tasks(uuid4()) == []
    assert await store.executions.running(uuid4()) == []


async def test_what_belongs_to_nothing_on_record_is_refused_whole(store: Store) -> None:
    promotion = await opened(store)
    job = await start_job(store, promotion)
    known, unknown = definition().targets, definition("elsewhere").targets
    with pytest.raises(NotFoundError):
        await store.executions.assign_tasks(job, tasks(promotion, [*known, *unknown]))
    assert await store.executions.tasks(job) == []
    with pytest.raises(NotFoundError):
        await store.executions.record_step(
            promotion.promotion_id, step(promotion.promotion_id, StepStatus.SUCCEEDED, 20)
        )
    with pytest.raises(NotFoundError):
        await record_run(store, uuid4(), StepStatus.RUNNING)
