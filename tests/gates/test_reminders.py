from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.gates.approval import decide
from engine.gates.reminders import reminders
from engine.model.base import Json
from engine.model.gate_config import ApprovalConfig
from engine.model.verdict import Defer
from tests.gates.builders import NOON, promotion


def config(**given: Json) -> ApprovalConfig:
    return ApprovalConfig.model_validate({"groups": ["leads"], **given})


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_single_ones_come_first_and_then_one_every_so_often() -> None:
    given = config(remind=["24h", "4h"], remind_every="12h", timeout="72h")
    seen = []
    now = NOON
    while (step := reminders(given, NOON, now)).next is not None:
        seen.append(step.next - NOON)
        now = step.next
    assert seen == [hours(4), hours(24), hours(36), hours(48), hours(60)]
    assert reminders(given, NOON, NOON + hours(1000)).due == len(seen)


def test_without_reminders_there_is_none() -> None:
    assert reminders(config(), NOON, NOON + hours(48)) == (0, None)


REMINDERS = st.lists(st.integers(1, 50), max_size=4)


@given(single=REMINDERS, every=st.none() | st.integers(1, 60), timeout=st.integers(51, 200))
def test_followed_from_one_to_the_next_none_is_missed_and_none_is_late(
    single: list[int], every: int | None, timeout: int
) -> None:
    given = config(
        remind=[f"{each}h" for each in single],
        remind_every=None if every is None or every >= timeout else f"{every}h",
        timeout=f"{timeout}h",
    )
    deadline, now, due = NOON + given.timeout, NOON, 0
    while True:
        step = reminders(given, NOON, now)
        assert step.due == due
        if step.next is None:
            break
        assert now < step.next < deadline
        just_before = reminders(given, NOON, step.next - timedelta(microseconds=1))
        assert (just_before.due, just_before.next) == (due, step.next)
        now, due = step.next, due + 1
    assert reminders(given, NOON, deadline + hours(100)).due == due


def test_the_gate_wakes_for_the_next_one_and_says_how_many_were_due() -> None:
    given = config(remind=["24h", "48h"])
    verdict = decide(given, promotion(), [], NOON, NOON + hours(30))
    assert isinstance(verdict, Defer)
    assert verdict.until == NOON + hours(72)
    assert verdict.recheck_at == NOON + hours(48)
    assert verdict.attributes["approval.reminders"] == 1
