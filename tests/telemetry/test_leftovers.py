"""What is left of workflows whose worker has stopped does nothing inside of other workflows."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from engine.converter import DATA_CONVERTER
from engine.model.promotion import PromotionStatus
from engine.telemetry import spans
from engine.telemetry.interceptor import TracingInterceptor
from engine.worker import running_worker
from tests.harness.system import System, prepared_system

GATES = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"


@workflow.defn(name="test.collect", sandboxed=False)
class Collect:
    """Has the garbage of others collected, in its own place and context."""

    @workflow.run
    async def run(self) -> str:
        """What the workflow would hand on as its current span."""
        gc.collect()
        context = spans.current_scope.get().context()
        return "" if context is None else context.span_id


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Garbage stays until somebody has it collected."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as prepared:
        await prepared.apply(
            "environments:\n" + prepared.environment_yaml("production", targets=1, gates=GATES)
        )
        yield prepared


@pytest.mark.usefixtures("uncollected")
async def test_what_a_stopped_worker_held_leaves_other_workflows_alone(
    system: System, temporal_address: str
) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    async with running_worker(system.settings):
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    client = await Client.connect(
        temporal_address, data_converter=DATA_CONVERTER, interceptors=[TracingInterceptor()]
    )
    queue = f"collect-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Collect]):
        left = await client.execute_workflow(Collect.run, id=queue, task_queue=queue)
    assert left == ""
    history = await client.get_workflow_handle(queue).fetch_history()
    kinds = {event.WhichOneof("attributes") for event in history.events}
    assert not any("marker" in str(kind) or "activity" in str(kind) for kind in kinds)
    await handle.terminate()
