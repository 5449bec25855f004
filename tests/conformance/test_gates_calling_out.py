"""Gates that call out, in real promotions: callbacks, samples, programs, retries, spans."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from standardwebhooks import Webhook
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from engine.errors import InputError
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.model.verdict import GateOutcome, GateResult
from tests.conformance.checker import deviations
from tests.harness.answering import Answer, Answering, Asked, answering
from tests.harness.receiver import Receiver
from tests.harness.system import System, running_system, until, with_agents

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SHOW_TRACE = "import os; print(os.environ['TRACEPARENT'])"
WITHIN = timedelta(seconds=60)


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        yield running


def _gates(server: Answering) -> str:
    gates = [
        {
            "type": "http",
            "name": "change",
            "config": {
                "url": f"{server.url}/change",
                "callback": True,
                "sign_with": {"secret": "env:CHANGE_KEY"},
            },
        },
        {
            "type": "metric",
            "config": {
                "url": server.url,
                "query": 'errors{version="${{ release.version }}"}',
                "operator": "<",
                "threshold": 1,
                "samples": 2,
                "interval": "1s",
            },
        },
        {"type": "command", "config": {"command": [sys.executable, "-c", SHOW_TRACE]}},
        {
            "type": "previous_environment",
            "config": {"environment": "staging", "soak": "2s", "verified": ["deploy"]},
        },
        {
            "type": "policy",
            "config": {
                "rules": [
                    {
                        "name": "all-heard",
                        "expression": 'gates.all(name, gates[name].outcome == "passed")'
                        " && size(gates) == 4",
                    },
                    {
                        "name": "figure",
                        "expression": 'gates["metric"].attributes["metric.value"] < 1.0',
                    },
                ]
            },
        },
    ]
    return json.dumps(gates)


def _broken(server: Answering) -> str:
    gates = [
        {"type": "http", "config": {"url": f"{server.url}/down"}},
        {"type": "command", "config": {"command": ["no-such-program"]}},
        {
            "type": "command",
            "name": "lenient",
            "on_error": "allow",
            "config": {"command": [sys.executable, "-c", "raise SystemExit(7)"]},
        },
    ]
    return json.dumps(gates)


def _slow(pid: Path) -> str:
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    config = {"command": [sys.executable, "-c", code], "timeout": "20m"}
    return json.dumps([{"type": "command", "config": config}])


@pytest.fixture
async def system(
    receiver: Receiver,
    server: Answering,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    monkeypatch.setenv("CHANGE_KEY", KEY)
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml(
                "production", targets=1, gates=_gates(server), more="    sampling: 1.0\n"
            )
            + running.environment_yaml("broken", targets=1, gates=_broken(server))
            + running.environment_yaml("slow", targets=1, gates=_slow(tmp_path / "pid"))
        )
        async with with_agents(running, "staging-t1", "production-t1"):
            yield running


def _by_name(result: PromotionResult) -> dict[str, GateResult]:
    return {gate.name: gate for gate in result.gates}


async def _all_but_two_decided(system: System, workflow_id: str) -> None:
    """Wait until only the callback, and the policy that needs it, are open."""
    for _ in range(1200):
        state = await system.promotions.state(workflow_id)
        if sum(gate.result is None for gate in state.gates) == 2:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the other gates never decided: {state.gates}")


async def _length_at_rest(handle: WorkflowHandle[Any, Any]) -> int:
    """How long the history is, once nothing adds to it any more."""
    length, before = 0, -1
    while length != before:
        await asyncio.sleep(1)
        length, before = (await handle.describe()).history_length, length
    return length


async def test_they_pass_side_by_side_and_the_trace_goes_with_them(
    system: System, receiver: Receiver, server: Answering
) -> None:
    release = await system.release("1.0.0")
    await (await system.start(release, "staging")).result()

    def change(_: Asked) -> Answer:
        tries = sum(asked.path == "/change" for asked in server.asked)
        # The first try is told to come again, which is Temporal's to do.
        return Answer(503, headers={"Retry-After": "1"}) if tries == 1 else Answer(202, "queued")

    server.answers["/change"] = change
    server.answers["/api/v1/query"] = Answer(
        body={"status": "success", "data": {"resultType": "scalar", "result": [0, "0.25"]}}
    )
    handle = await system.start(release, "production")

    def is_promised() -> bool:
        return sum(asked.path == "/change" for asked in server.asked) == 2

    await until(is_promised, "the service was asked, and asked again")
    questions = [asked for asked in server.asked if asked.path == "/change"]
    assert questions[0].body == questions[1].body
    assert questions[0].headers["webhook-id"] == questions[1].headers["webhook-id"]
    question = Webhook(KEY).verify(questions[1].body, dict(questions[1].headers))
    assert question["release"]["ref"] == release
    told = question["callback"]
    assert told["workflow_id"] == handle.id

    await _all_but_two_decided(system, handle.id)
    before = await _length_at_rest(handle)
    with pytest.raises(InputError, match="is not the one that the gate 'change' gave out"):
        await system.promotions.call_back(handle.id, "change", "ä guess", {"verdict": "allow"})
    with pytest.raises(InputError, match="no gate called 'metric-2' waits"):
        await system.promotions.call_back(handle.id, "metric-2", "guess", {"verdict": "allow"})
    large = {"gate": "change", "token": told["token"], "body": {"reason": "x" * 20_000}}
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("gate_callback", large)
    assert "body: value error, is larger than 16" in str(refused.value.cause)
    # Refusals leave nothing in the history.
    assert (await handle.describe()).history_length == before
    state = await system.promotions.state(handle.id)
    assert told["token"] not in state.model_dump_json()
    await system.promotions.call_back(
        handle.id, "change", told["token"], {"verdict": "allow", "reason": "CHG-42"}
    )
    result = await system.promotions.result(handle.id, WITHIN)
    assert result.status is PromotionStatus.SUCCEEDED

    gates = _by_name(result)
    assert {gate.outcome for gate in gates.values()} == {GateOutcome.PASSED}
    assert gates["change"].reason == "CHG-42"
    samples = gates["metric"].evidence["samples"]
    assert isinstance(samples, list)
    assert len(samples) == 2
    assert gates["previous_environment"].reason.startswith(f"{release} has been in staging since")
    assert gates["policy"].reason == "all 2 rules hold"

    def root_is_here() -> bool:
        return any(span.name == "promotion.request" for span in receiver.of(result.trace_id))

    await until(root_is_here, "the root span was received")
    spans = receiver.of(result.trace_id)
    assert deviations(spans) == []
    by_name = {span.name: span for span in spans}
    assert by_name["gate.metric"].attributes["metric.samples"] == 2
    assert by_name["gate.http"].attributes["http.response.status_code"] == 202
    waited = by_name["gate.http"].end - by_name["gate.http"].start
    assert by_name["gate.http"].attributes["http.gate.wait_seconds"] == waited / 1e9
    sent = {
        "gate.http": questions[1].headers["traceparent"],
        "gate.command": gates["command"].reason,
    }
    for name, traceparent in sent.items():
        _, trace, span, _ = traceparent.split("-")
        assert (trace, span) == (result.trace_id, by_name[name].span_id)


async def test_those_that_break_say_so_after_their_retries(
    system: System, server: Answering
) -> None:
    server.answers["/down"] = Answer(503, headers={"Retry-After": "1"})
    handle = await system.start(await system.release("1.0.0"), "broken")
    result = await system.promotions.result(handle.id, WITHIN)

    assert result.status is PromotionStatus.DENIED
    gates = _by_name(result)
    assert gates["http"].outcome is gates["command"].outcome is GateOutcome.FAILED
    assert gates["http"].reason == (
        f"the gate broke: cannot ask: {server.url}/down answered 503 Service Unavailable"
    )
    assert gates["command"].reason.startswith(
        "the gate broke: cannot decide: cannot run no-such-program: No such file"
    )
    assert gates["lenient"].outcome is GateOutcome.PASSED
    assert "ended with exit code 7; passed over" in gates["lenient"].reason
    assert len(server.asked) == 5
    for gate in ("http", "command", "lenient"):
        error = gates[gate].error
        assert error is not None
        assert error.type == "GateError"


async def test_a_cancelled_promotion_ends_the_program_that_a_gate_runs(
    system: System, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    handle = await system.start(await system.release("1.0.0"), "slow")
    await until(lambda: file.exists() and file.read_text() != "", "the program runs")
    await system.promotions.cancel(handle.id, "alice", "wrong release")
    result = await system.promotions.result(handle.id, WITHIN)
    assert result.status is PromotionStatus.CANCELLED

    program = int(file.read_text())
    await until(lambda: not psutil.pid_exists(program), "the program has ended")
