from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

import engine.client.start as start_module
from engine.client import PromotionClient
from engine.client.workers import NoWorkerError
from engine.config import Settings
from engine.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PromotionEngineError,
    UnreachableError,
)
from engine.model.promotion import PromotionRequest, PromotionStatus
from engine.store import schema
from engine.store.store import Store
from engine.temporal import connect
from engine.worker import build_worker
from tests.client.requests import request
from tests.harness.system import System
from tests.harness.temporal import temporal_cli


@pytest.fixture(scope="module")
async def release(system: System) -> str:
    return await system.release("1.0.0")


async def test_starting_answers_with_the_resolved_request(system: System, release: str) -> None:
    state = await system.promotions.start(request(system, release, "gated"))

    assert state.release == release
    assert state.release_id is not None
    assert state.environment == "gated"
    assert state.requested_by == "alice"
    assert len(state.trace_id) == 32
    assert not state.status.is_final
    description = await system.client.get_workflow_handle(
        f"promotion/{state.promotion_id}"
    ).describe()
    assert await description.static_summary() == f"{release} to gated ({system.tenant})"


async def test_a_release_that_does_not_exist_is_told_at_once(system: System) -> None:
    with pytest.raises(NotFoundError, match=r"^release: .*'web@9\.9\.9'") as caught:
        await system.promotions.start(request(system, "web@9.9.9", "free"))
    assert caught.value.field == "release"
    assert caught.value.remedy


async def test_an_environment_that_does_not_exist_is_told_at_once(
    system: System, release: str
) -> None:
    with pytest.raises(NotFoundError, match=r"environment.*'moon'"):
        await system.promotions.start(request(system, release, "moon"))


async def test_a_release_that_cannot_be_named_so_is_told_at_once(system: System) -> None:
    with pytest.raises(InputError, match="release: 'web' names no release"):
        await system.promotions.start(request(system, "web", "free"))


async def test_starting_twice_with_one_id_starts_once(system: System, release: str) -> None:
    promotion_id = uuid4()
    wanted = request(system, release, "gated")
    first = await system.promotions.start(wanted, promotion_id=promotion_id)
    handle = system.client.get_workflow_handle(f"promotion/{promotion_id}")
    run = (await handle.describe()).run_id
    second = await system.promotions.start(wanted, promotion_id=promotion_id)

    assert first.promotion_id == second.promotion_id == promotion_id
    assert (await handle.describe()).run_id == run


async def test_starting_again_after_the_end_answers_with_the_end(
    system: System, release: str
) -> None:
    promotion_id = uuid4()
    wanted = request(system, release, "free")
    await system.promotions.start(wanted, promotion_id=promotion_id)
    await system.promotions.result(promotion_id, timedelta(seconds=60))
    again = await system.promotions.start(wanted, promotion_id=promotion_id)

    assert again.status is PromotionStatus.SUCCEEDED
    assert again.promotion_id == promotion_id


async def test_an_id_cannot_be_used_for_another_request(system: System, release: str) -> None:
    promotion_id = uuid4()
    await system.promotions.start(request(system, release, "gated"), promotion_id=promotion_id)

    with pytest.raises(ConflictError, match="already promotes"):
        await system.promotions.start(request(system, release, "free"), promotion_id=promotion_id)


ANY = PromotionRequest(release="web@1.0.0", environment="free", requested_by="alice")


async def test_without_a_worker_nothing_is_started(
    fresh_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "_WORKER_WITHIN", timedelta(seconds=0.5))
    promotion_id = uuid4()
    client = PromotionClient(fresh_server.client)

    with pytest.raises(NoWorkerError, match="start one with: promote worker") as caught:
        await client.start(ANY, promotion_id=promotion_id)
    assert isinstance(caught.value, UnreachableError)
    with pytest.raises(NotFoundError):
        await client.state(promotion_id)


async def test_a_server_that_is_gone_is_unreachable(fresh_server: WorkflowEnvironment) -> None:
    client = PromotionClient(fresh_server.client)
    await fresh_server.shutdown()

    with pytest.raises(UnreachableError):
        await client.start(ANY)


@pytest.fixture
async def unprepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PromotionClient]:
    """A worker on a namespace without our search attributes, past its own check of them."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(), dev_server_log_level="never"
    )
    try:
        target = server.client.service_client.config.target_host
        monkeypatch.setenv("TEMPORAL_ADDRESS", target)
        settings = Settings(home=tmp_path)
        await schema.upgrade(settings.effective_database_url)
        client = await connect(settings)
        async with Store.open(settings.effective_database_url) as store:
            system = System(settings, store, client, PromotionClient(client), "default", tmp_path)
            await system.apply("environments:\n" + system.environment_yaml("free", targets=1))
            await system.release("1.0.0")
            async with build_worker(client, store, settings):
                yield system.promotions
    finally:
        await server.shutdown()


async def test_a_namespace_without_our_search_attributes_is_told(
    unprepared: PromotionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "_ACCEPTED_WITHIN", timedelta(seconds=5))

    with pytest.raises(PromotionEngineError, match="promote server init"):
        await unprepared.start(ANY)
