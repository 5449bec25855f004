from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from engine.client import PromotionSummary
from engine.errors import InputError
from engine.model.identity import tenant_id
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision
from tests.client.requests import request
from tests.harness.system import PATIENCE, System

Found = Sequence[PromotionSummary]


async def listed(
    system: System,
    condition: Callable[[Found], bool],
    environment: str | None = None,
    status: PromotionStatus | None = None,
) -> Found:
    """The tenant's list, once the server has indexed what `condition` asks for."""
    for _ in range(int(PATIENCE / 0.1)):
        found = await system.promotions.list(system.tenant, environment, status)
        if condition(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"the list never became what it should be: {found}")


def is_exactly(expected: set[UUID], found: Found) -> bool:
    return {summary.promotion_id for summary in found} == expected


@pytest.fixture(scope="module")
async def promotions(system: System) -> dict[str, UUID]:
    """One promotion that succeeded, one that waits, and one that was terminated."""
    release = await system.release("1.0.0")
    started = {
        "done": await system.promotions.start(request(system, release, "free")),
        "waits": await system.promotions.start(request(system, release, "gated")),
        "dead": await system.promotions.start(request(system, release, "gated")),
    }
    result = {name: state.promotion_id for name, state in started.items()}
    await system.promotions.result(result["done"], timedelta(seconds=PATIENCE))
    await system.until_status(f"promotion/{result['waits']}", PromotionStatus.AWAITING_APPROVAL)
    await system.client.get_workflow_handle(f"promotion/{result['dead']}").terminate()
    return result


async def test_a_list_tells_what_the_search_attributes_do(
    system: System, promotions: dict[str, UUID]
) -> None:
    found = await listed(
        system,
        lambda found: any(
            summary.promotion_id == promotions["done"] and summary.ended_at is not None
            for summary in found
        ),
    )
    (done,) = [summary for summary in found if summary.promotion_id == promotions["done"]]

    assert done.status is PromotionStatus.SUCCEEDED
    assert done.decision is Decision.ALLOW
    assert done.environment == "free"
    assert done.release_version == "1.0.0"
    assert done.tenant_id == tenant_id(system.tenant)
    assert len(done.trace_id) == 32
    assert done.workflow_id == f"promotion/{done.promotion_id}"
    starts = [summary.started_at for summary in found if summary.ended_at is None]
    assert starts == sorted(starts, reverse=True)


async def test_a_list_by_status(system: System, promotions: dict[str, UUID]) -> None:
    wanted = {
        PromotionStatus.SUCCEEDED: "done",
        PromotionStatus.AWAITING_APPROVAL: "waits",
        PromotionStatus.ERRORED: "dead",
    }
    for status, name in wanted.items():
        await listed(system, partial(is_exactly, {promotions[name]}), status=status)


async def test_a_list_by_environment(system: System, promotions: dict[str, UUID]) -> None:
    expected = {promotions["waits"], promotions["dead"]}
    await listed(system, partial(is_exactly, expected), environment="gated")


async def test_a_list_of_another_tenant_is_empty(
    system: System, promotions: dict[str, UUID]
) -> None:
    assert await system.promotions.list("somebody-else") == ()


async def test_a_list_has_a_limit(system: System, promotions: dict[str, UUID]) -> None:
    await listed(system, lambda found: len(found) >= 3)
    assert len(await system.promotions.list(system.tenant, limit=2)) == 2


async def test_a_name_that_would_break_out_of_the_query_is_refused(system: System) -> None:
    with pytest.raises(InputError, match=r"^environment: "):
        await system.promotions.list(environment="x' OR '1'='1")


async def test_a_refused_request_is_not_in_the_list(
    system: System, promotions: dict[str, UUID]
) -> None:
    with pytest.raises(InputError):
        await system.promotions.start(request(system, "web@9.9.9", "free"))

    async def refused() -> int:
        query = "WorkflowType = 'promotion.request' AND ExecutionStatus = 'Failed'"
        return len([one async for one in system.client.list_workflows(query)])

    for _ in range(int(PATIENCE / 0.1)):
        if await refused():
            break
        await asyncio.sleep(0.1)
    assert await refused()
    # Of all tenants: a refused request has no tenant.
    known = {summary.promotion_id for summary in await system.promotions.list(limit=1000)}
    assert set(promotions.values()) <= known
    assert all(summary.status for summary in await system.promotions.list(limit=1000))
