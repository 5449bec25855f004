"""The database says where a promotion stands, and costs the promotion nothing for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.model.promotion import PromotionStatus
from engine.store.promotions import PromotionRepository
from tests.harness.system import System, running_system, with_agents
from tests.workflows.faults import Handle, refuse, stored

APPROVAL = "[{type: approval, config: {required: 1, users: [bob]}}]"
ASKING = """\
    template:
      name: two-eyes
      nodes:
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}}
        - {id: deploy, type: deploy, needs: [ask]}
"""


def frozen() -> str:
    """A gate that is closed for some hours."""
    now = datetime.now(UTC)
    start, end = ((now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M") for hours in (-2, 2))
    return (
        "[{type: freeze_window, config: {windows: "
        f"[{{name: now, start: '{start}', end: '{end}', timezone: UTC}}], on_freeze: wait}}}}]"
    )


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml("production", targets=1, gates=APPROVAL)
            + running.environment_yaml("frozen", targets=1, gates=frozen())
            + running.environment_yaml("asking", targets=1, more=ASKING)
        )
        yield running


async def until_stored(system: System, handle: Handle, wanted: PromotionStatus) -> None:
    row = None
    for _ in range(600):
        row = await stored(system, handle)
        if row.status is wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the database never says {wanted}; it says {row and row.status}")


async def stored_statuses(handle: Handle) -> int:
    """How often the workflow had its status stored."""
    markers = [
        event.marker_recorded_event_attributes.SerializeToString()
        for event in (await handle.fetch_history()).events
        if event.HasField("marker_recorded_event_attributes")
    ]
    return sum(b"promotion.record_status" in marker for marker in markers)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ("production", PromotionStatus.AWAITING_APPROVAL),
        ("asking", PromotionStatus.AWAITING_APPROVAL),
        ("frozen", PromotionStatus.BLOCKED),
    ],
)
async def test_a_promotion_that_waits_says_so_in_the_database(
    system: System, environment: str, wanted: PromotionStatus
) -> None:
    handle = await system.start(await system.release("1.0.0"), environment)
    await system.until_status(handle.id, wanted)
    await until_stored(system, handle, wanted)
    if environment == "asking":
        await handle.execute_update("approve", {"user": "dora"})
        await until_stored(system, handle, PromotionStatus.RUNNING)
    await handle.execute_update("cancel", {"user": "bob"})
    assert (await handle.result())["status"] == "cancelled"
    await until_stored(system, handle, PromotionStatus.CANCELLED)


async def test_a_promotion_that_waits_for_nobody_stores_no_more_than_its_steps(
    system: System,
) -> None:
    handle = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1"):
        await handle.result()
    # Pending, queued, running, succeeded.
    assert await stored_statuses(handle) == 4


async def test_a_status_that_cannot_be_stored_beside_the_work_does_not_touch_the_promotion(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(
        monkeypatch,
        PromotionRepository,
        "record_status",
        lambda _, status, *__, **___: status is PromotionStatus.AWAITING_APPROVAL,
    )
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    async with with_agents(system, "production-t1"):
        await handle.execute_update("approve", {"user": "bob"})
        assert (await handle.result())["status"] == "succeeded"
    assert (await stored(system, handle)).status is PromotionStatus.SUCCEEDED
