"""The gate `freeze_window` and what people set by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from engine.gates.freeze_window import FreezeWindowGate
from engine.model.base import Json
from engine.model.environment import Gate
from engine.model.freeze import Freeze
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.builders import NOON, Services, context, promotion
from tests.gates.test_boundary import HOUR, frozen, window


async def verdict(
    *freezes: Freeze,
    config: dict[str, Json] | None = None,
    now: datetime = NOON,
    memory: dict[str, Json] | None = None,
    when: str = "",
) -> Verdict:
    gate = Gate(type="freeze_window", name="checked", config=config or {}, when=when)
    asked = context("freeze_window", config or {}, snapshot=promotion(gates=[gate]), now=now)
    asked = asked.model_copy(update={"gate": gate, "memory": memory or {}})
    return await FreezeWindowGate().evaluate(asked, Services(freezes=freezes))


async def test_without_any_it_allows() -> None:
    assert await verdict() == Allow(reason="no freeze window is in force")


async def test_a_line_that_was_stopped_before_the_request_denies_it() -> None:
    said = await verdict(frozen(since=HOUR), config={"on_freeze": "wait"})
    assert isinstance(said, Deny)
    assert said.reason == "the line is stopped, by lena: because; ask again when it is lifted"
    assert said.attributes["freeze_window.name"] == "stop"
    freeze = said.evidence["freeze"]
    assert isinstance(freeze, dict)
    assert (freeze["created_by"], freeze["reason"]) == ("lena", "because")


async def test_a_line_that_was_stopped_after_the_request_makes_it_wait() -> None:
    said = await verdict(frozen(since=-HOUR), now=NOON + 2 * HOUR)
    assert isinstance(said, Defer)
    assert said.reason == "the line is stopped, by lena: because; goes on when it is lifted"
    assert said.until is None


@pytest.mark.parametrize(
    ("asked", "minutes"), [(0, 1), (1, 2), (5, 32), (6, 60), (7, 60), (500, 60)]
)
async def test_it_is_looked_again_in_case_that_nobody_tells_of_the_lifting(
    asked: int, minutes: int
) -> None:
    now = NOON + 2 * HOUR
    said = await verdict(frozen(since=-HOUR), now=now, memory={"asked": asked})
    assert isinstance(said, Defer)
    assert said.recheck_at == now + timedelta(minutes=minutes)
    assert said.memory == {"asked": asked + 1}


@pytest.mark.parametrize(
    ("config", "kind", "reason"),
    [
        (
            {},
            Deny,
            "freeze 'audit' is in force, by lena: because; ask again after 2026-03-02 14:00 UTC",
        ),
        (
            {"on_freeze": "wait"},
            Defer,
            "freeze 'audit' is in force, by lena: because; goes on at 2026-03-02 14:00 UTC",
        ),
    ],
)
async def test_a_planned_freeze_does_as_the_gate_says(
    config: dict[str, Json], kind: type, reason: str
) -> None:
    said = await verdict(frozen("audit", line=False, hours=2), config=config)
    assert isinstance(said, kind)
    assert said.reason == reason


async def test_a_freeze_without_an_end_is_waited_for_until_it_is_lifted() -> None:
    said = await verdict(frozen("audit", line=False), config={"on_freeze": "wait"})
    assert isinstance(said, Defer)
    assert said.until is None
    assert said.recheck_at is not None
    assert said.reason.endswith("goes on when it is lifted")


async def test_windows_and_freezes_that_follow_one_another_are_waited_out_together() -> None:
    config: dict[str, Json] = {"windows": [window(hours=1)], "on_freeze": "wait"}
    planned = frozen("audit", line=False, hours=2, since=-HOUR)
    said = await verdict(planned, config=config)
    assert isinstance(said, Defer)
    assert said.until == NOON + 2 * HOUR
    assert said.recheck_at is None


async def test_a_gate_that_is_not_always_asked_leaves_them_to_another() -> None:
    assert isinstance(await verdict(frozen(), when="true"), Allow)
    assert isinstance(await verdict(frozen()), Deny)


async def test_the_moment_at_which_a_freeze_ends_is_free() -> None:
    planned = frozen("audit", line=False, hours=2)
    end = NOON + 2 * HOUR
    assert isinstance(await verdict(planned, now=end - timedelta(microseconds=1)), Deny)
    assert isinstance(await verdict(planned, now=end), Allow)
