"""What an activity tells of the plugins that it called, over its attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutType
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.testing import ActivityEnvironment

from activities.gate import GateAnswer
from activities.plugin_calls import CallLog
from engine.errors import PluginError
from engine.model.plugin_call import PluginCall
from engine.model.verdict import Allow
from engine.plugins.protocol import Method
from engine.telemetry.plugin_calls import DETAIL, LOST, calls_of, told_by


def _refused() -> None:
    raise PluginError("plugin board: BoardClosed: until noon", kind="BoardClosed")


def _environment(attempt: int = 1, details: tuple[Any, ...] = ()) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt, heartbeat_details=details)
    return environment


async def _first_attempt() -> list[dict[str, Any]]:
    """One call that ended, one that failed, and one under way; as JSON, as heartbeats tell them."""

    async def work() -> list[dict[str, Any]]:
        log = CallLog()
        with log.calling("vault", Method.SECRET_RESOLVE, "kv"):
            pass
        with pytest.raises(PluginError), log.calling("board", Method.GATE_EVALUATE, "open"):
            _refused()
        with log.calling("board", Method.GATE_EVALUATE, "open"):
            return [call.model_dump(mode="json") for call in log.told]

    told: list[dict[str, Any]] = await _environment().run(work)
    return told


async def test_each_call_is_told_with_its_end() -> None:
    ended, failed, under_way = told_by([{DETAIL: await _first_attempt()}])
    assert (ended.plugin, ended.method, ended.offer) == ("vault", "secret.resolve", "kv")
    assert ended.failure is None
    assert failed.failure is not None
    assert failed.failure.type == "BoardClosed"
    assert under_way.failure is not None
    assert under_way.failure.type == LOST
    assert len({call.identity for call in (ended, failed, under_way)}) == 3
    for call in (ended, failed, under_way):
        assert call.started_at <= call.ended_at


async def test_a_later_attempt_tells_of_those_before_it() -> None:
    told = await _first_attempt()

    async def work() -> tuple[PluginCall, ...]:
        log = CallLog()
        with log.calling("board", Method.GATE_EVALUATE, "open"):
            pass
        return log.told

    details = ("what the activity says itself", {DETAIL: told})
    calls = await _environment(2, details).run(work)
    assert [call.model_dump(mode="json") for call in calls[:-1]] == told
    assert calls[-1].failure is None
    assert len({call.identity for call in calls}) == 4


async def test_what_an_older_worker_told_is_left_out() -> None:
    assert told_by([{DETAIL: [{"plugin": "board"}]}]) == ()
    assert told_by(["something", 7]) == ()


async def test_the_calls_are_found_in_results_errors_and_timeouts() -> None:
    told = await _first_attempt()
    calls = told_by([{DETAIL: told}])
    answer = GateAnswer(verdict=Allow(reason="fine"), plugin_calls=calls)
    assert calls_of(answer) == calls
    assert calls_of(None) == ()
    failed = ApplicationError("no", {"outputs": 1}, {DETAIL: told}, type="PluginError")
    late = TemporalTimeoutError(
        "late", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[[], {DETAIL: told}]
    )
    for cause in (failed, late):
        error = ActivityError(
            "failed",
            scheduled_event_id=1,
            started_event_id=2,
            identity="",
            activity_type="gate.evaluate",
            activity_id="1",
            retry_state=RetryState.TIMEOUT,
        )
        error.__cause__ = cause
        assert calls_of(error) == calls
    assert calls_of(ValueError("no")) == ()
