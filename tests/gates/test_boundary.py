from __future__ import annotations

from datetime import timedelta
from uuid import uuid4, uuid5

import pytest

from engine.errors import GateError
from engine.gates.boundary import closure
from engine.gates.freezes import STOP_THE_LINE, keeper
from engine.model.base import Json
from engine.model.environment import Gate
from engine.model.freeze import Closure, Freeze, FreezeExemptions, OnClose
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Override
from tests.gates.builders import NOON, TENANT, promotion

HOUR = timedelta(hours=1)
NONE = FreezeExemptions()


def frozen(
    name: str = "stop",
    *,
    line: bool = True,
    environment: str | None = None,
    hours: float | None = None,
    since: timedelta = HOUR,
) -> Freeze:
    return Freeze(
        id=uuid5(TENANT, name),
        tenant_id=TENANT,
        name=name,
        environment=environment,
        reason="because",
        stops_the_line=line,
        start=NOON - since,
        end=None if hours is None else NOON + hours * HOUR,
        created_by="lena",
        created_at=NOON - since,
    )


def window(name: str = "noon", *, hours: int = 1) -> dict[str, Json]:
    start = (NOON - HOUR).replace(tzinfo=None).isoformat()
    return {"name": name, "timezone": "UTC", "start": start, "duration": f"{hours + 1}h"}


def gate(name: str = "calendar", on_close: str = "pause", **more: object) -> Gate:
    config: dict[str, Json] = {"windows": [window()], "on_close": on_close}
    return Gate.model_validate({"type": "freeze_window", "name": name, "config": config, **more})


def found(
    *gates: Gate,
    freezes: tuple[Freeze, ...] = (),
    exemptions: FreezeExemptions = NONE,
    has_begun: bool = True,
    is_rollback: bool = False,
) -> Closure | None:
    snapshot: PromotionSnapshot = promotion(gates=gates).model_copy(
        update={"is_rollback": is_rollback}
    )
    return closure(snapshot, exemptions, freezes, NOON, has_begun=has_begun)


def overridden(gate: str, at: timedelta) -> FreezeExemptions:
    word = Override(gate=gate, user="lena", reason="must", at=NOON + at)
    return FreezeExemptions(overrides=(word,))


def test_without_gates_and_freezes_everything_goes_on() -> None:
    assert found() is None


@pytest.mark.parametrize("on_close", ["pause", "abort"])
def test_a_window_stops_as_its_gate_says_and_tells_until_when(on_close: str) -> None:
    stopped = found(gate(on_close=on_close))
    assert stopped == Closure(
        gate="calendar",
        reason="freeze window 'noon' is in force until 2026-03-02 13:00 UTC",
        on_close=OnClose(on_close),
        until=NOON + HOUR,
    )


def test_what_has_begun_is_finished_and_what_has_not_waits() -> None:
    assert found(gate(on_close="finish")) is None
    waiting = found(gate(on_close="finish"), has_begun=False)
    assert waiting is not None
    assert waiting.on_close is OnClose.PAUSE


def test_nothing_is_aborted_that_has_not_begun() -> None:
    waiting = found(gate(on_close="abort"), has_begun=False)
    assert waiting is not None
    assert waiting.on_close is OnClose.PAUSE


@pytest.mark.parametrize("on_close", ["pause", "finish", "abort"])
def test_a_stopped_line_always_pauses(on_close: str) -> None:
    calendar = Gate(type="freeze_window", name="calendar", config={"on_close": on_close})
    stopped = found(calendar, freezes=(frozen(),))
    assert stopped is not None
    assert (stopped.on_close, stopped.by_hand, stopped.until) == (OnClose.PAUSE, True, None)
    assert stopped.reason == "the line is stopped, by lena: because"


def test_a_planned_freeze_does_as_the_gate_says() -> None:
    calendar = Gate(type="freeze_window", name="calendar", config={"on_close": "abort"})
    stopped = found(calendar, freezes=(frozen("audit", line=False, hours=2),))
    assert stopped is not None
    assert (stopped.on_close, stopped.until) == (OnClose.ABORT, NOON + 2 * HOUR)


def test_of_several_that_demands_most_counts_and_of_equals_the_last_to_end() -> None:
    stopped = found(gate("one"), gate("two", "abort"), freezes=(frozen(),))
    assert stopped is not None
    assert (stopped.gate, stopped.on_close) == ("two", OnClose.ABORT)
    stopped = found(gate("one"), freezes=(frozen("audit", line=False, hours=3),))
    assert stopped is not None
    assert stopped.until == NOON + 3 * HOUR
    stopped = found(gate("one"), freezes=(frozen(hours=3), frozen("forever")))
    assert stopped is not None
    assert stopped.until is None


@pytest.mark.parametrize(
    "freeze",
    [
        frozen(environment="staging"),
        frozen(hours=-0.5),
        frozen(since=-HOUR),
        frozen().model_copy(update={"lifted_at": NOON, "lifted_by": "lena"}),
    ],
    ids=["elsewhere", "over", "to come", "lifted"],
)
def test_a_freeze_that_does_not_hold_stops_nothing(freeze: Freeze) -> None:
    assert found(freezes=(freeze,)) is None


class TestExemptions:
    def test_an_overridden_gate_has_no_say_over_its_windows(self) -> None:
        assert found(gate(), exemptions=overridden("calendar", -HOUR)) is None
        assert found(gate(), exemptions=overridden("other", -HOUR)) is not None

    def test_an_override_covers_what_was_set_before_and_nothing_set_afterwards(self) -> None:
        exemptions = overridden("calendar", -HOUR / 2)
        before, after = frozen(since=HOUR), frozen(since=HOUR / 4)
        assert found(gate(), freezes=(before,), exemptions=exemptions) is None
        stopped = found(gate(), freezes=(before, after), exemptions=exemptions)
        assert stopped is not None
        assert stopped.by_hand

    def test_a_skipped_gate_has_no_say(self) -> None:
        assert found(gate(when="false"), exemptions=FreezeExemptions(skipped=("calendar",))) is None

    def test_a_gate_that_may_be_skipped_leaves_the_line_to_another(self) -> None:
        exemptions = FreezeExemptions(skipped=("calendar",))
        stopped = found(gate(when="false"), freezes=(frozen(),), exemptions=exemptions)
        assert stopped is not None
        assert stopped.gate == STOP_THE_LINE.name

    def test_a_rollback_passes_unless_the_gate_wants_to_be_asked(self) -> None:
        assert found(gate(), freezes=(frozen(),), is_rollback=True) is None
        assert found(freezes=(frozen(),), is_rollback=True) is None
        assert found(gate(on_rollback="ask"), freezes=(frozen(),), is_rollback=True) is not None


def test_one_gate_alone_looks_at_the_freezes_by_hand() -> None:
    environment = promotion(
        gates=[gate("maybe", when="true"), gate("one"), gate("two")]
    ).environment
    assert keeper(environment).name == "one"
    assert keeper(promotion(gates=[gate("maybe", when="true")]).environment) is STOP_THE_LINE
    two = found(gate("one"), gate("two"), freezes=(frozen(),), exemptions=overridden("one", HOUR))
    assert two is not None
    assert two.gate == "two"
    assert not two.by_hand


def test_a_configuration_that_cannot_be_used_is_an_error() -> None:
    broken = Gate(type="freeze_window", name="calendar", config={"windows": [{"name": "w"}]})
    with pytest.raises(GateError, match=r"gates\.calendar\.config\.windows\.0"):
        found(broken)


def test_a_calendar_that_was_not_read_is_an_error() -> None:
    unread = Gate(type="freeze_window", name="calendar", config={"calendars": [{"file": "a.ics"}]})
    with pytest.raises(GateError, match="apply the environment file again"):
        found(unread, freezes=(frozen(str(uuid4())),))
