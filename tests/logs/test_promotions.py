"""The logs of real workers and agents, held against the spans that reach a collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from engine.model.promotion import PromotionStatus
from tests.harness.processes import environment
from tests.harness.receiver import Received, Receiver, grpc_receiver
from tests.harness.system import System, prepared_system, until
from tests.logs.processes import Line, Logged, events, logged

GATES = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"
CANARY = "canary-51f0"

AT_THE_WORKER = [
    "promotion.requested", "gate.waiting", "gate.decided", "promotion.voted", "gate.decided",
    "promotion.decided", "environment.lock.waiting", "environment.lock.granted", "step.ended",
    "step.ended", "deployment.started", "deployment.ended", "step.ended", "evidence.signed",
    "promotion.ended",
]  # fmt: skip


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with grpc_receiver() as running:
        yield running


@dataclass(frozen=True)
class Site:
    system: System
    env: dict[str, str]
    directory: Path

    def agent(self, environment: str) -> str:
        return f"{self.system.tenant}-{environment}-t1"


@pytest.fixture
async def site(
    receiver: Receiver, tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as system:
        await system.apply(
            "environments:\n"
            + system.environment_yaml("gated", targets=1, gates=GATES)
            + system.environment_yaml("free", targets=1)
        )
        env = environment(
            tmp_path,
            temporal_address,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_METRICS_EXPORTER="none",
            OTEL_BSP_SCHEDULE_DELAY="100",
            PROMOTE_LOG_FORMAT="json",
        )
        yield Site(system, env, tmp_path)


def is_ours(line: Line) -> bool:
    return bool(line["instrumentation_scope"]["name"].startswith(("engine", "workflows", "activ")))


def span_of(line: Line, spans: list[Received]) -> Received:
    (found,) = [span for span in spans if span.span_id == line["span_id"]]
    return found


async def test_every_line_is_json_and_bears_the_ids_of_its_span(
    site: Site, receiver: Receiver
) -> None:
    system, log = site.system, site.directory
    release = await system.release("1.0.0")
    with (
        logged("worker", env=site.env, log=log / "worker.log") as worker,
        logged("agent", "--id", site.agent("gated"), env=site.env, log=log / "agent.log") as agent,
    ):
        handle = await system.start(release, "gated")
        promotion = handle.id.removeprefix("promotion/")
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
        await handle.execute_update("approve", {"user": "bob", "comment": "good"})
        await handle.result()
        await system.until_settled(handle.id)
        worker.stop()
        agent.stop()

    of_worker, of_agent = worker.of(promotion), agent.of(promotion)
    (trace_id,) = {line["trace_id"] for line in (*of_worker, *of_agent)}
    spans = receiver.of(trace_id)
    assert sorted(events(of_worker)) == sorted(AT_THE_WORKER)
    assert events(of_agent) == ["agent.task.ended"] * 3
    for line in of_worker:
        span = span_of(line, spans)
        kind = line["event_name"].partition(".")[0]
        assert span.name.startswith(
            {
                "gate": f"gate.{line['attributes'].get('gate.type')}",
                "step": f"workflow.step.{line['attributes'].get('step.type')}",
                "deployment": "deployment.execute",
            }.get(kind, "promotion.request")
        )
        for key in ("temporalWorkflowID", "temporalRunID", "tenant.id", "release.id", "user.id"):
            assert line["attributes"][key] == span.attributes[key]
        assert line["attributes"]["temporalTaskQueue"] == "promotions"
    for line in of_agent:
        span = span_of(line, spans)
        assert span.name == f"agent.task.{line['attributes']['task.type']}"
        assert span.attributes["task.id"] == line["attributes"]["task.id"]
        assert line["attributes"]["temporalAttempt"] == 1
        assert line["attributes"]["temporalActivityType"] == span.name
        assert line["attributes"]["temporalTaskQueue"] == f"agent.{site.agent('gated')}"
        assert line["attributes"]["temporalActivityID"]
    for line in (*of_worker, *of_agent):
        assert line["severity_text"] == "INFO"
        assert line["trace_flags"] == "01"
        for key in ("service.name", "service.version", "deployment.environment.name"):
            assert line["resource"][key] == spans[0].resource[key]
    for process in (worker, agent):
        assert process.printed == ["promote: ready"]
        # The server has promotions of other tests too, and a sweep may find one.
        others = [line for line in process.lines if "promotion.id" not in line["attributes"]]
        assert set(events(others)) <= {"process.ready", "process.stopping"}
        # Temporal's SDK warns of a machine that is slow.
        assert not [line for line in process.lines if line["severity_number"] > 9 and is_ours(line)]


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_replay_writes_no_line_again(site: Site, how: str) -> None:
    system = site.system
    release = await system.release("1.0.0")
    with logged("worker", env=site.env, log=site.directory / "first.log") as first:
        handle = await system.start(release, "gated")
        promotion = handle.id.removeprefix("promotion/")
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
        await asyncio.to_thread(first.until_event, "gate.decided", promotion)
        if how == "killed":
            first.kill()
        else:
            first.stop()
    with (
        logged("worker", env=site.env, log=site.directory / "second.log") as second,
        logged("agent", "--id", site.agent("gated"), env=site.env, log=site.directory / "a.log"),
    ):
        await handle.execute_update("approve", {"user": "bob"})
        await handle.result()
        second.stop()

    before, after = events(first.of(promotion)), events(second.of(promotion))
    assert sorted(before) == ["gate.decided", "gate.waiting", "promotion.requested"]
    assert sorted([*before, *after]) == sorted(AT_THE_WORKER)


async def test_a_failure_is_told_once_where_it_happened_and_once_for_the_promotion(
    site: Site, receiver: Receiver
) -> None:
    system = site.system
    lost = await system.release("1.0.1", lost=True)
    with (
        logged("worker", env=site.env, log=site.directory / "w.log") as worker,
        logged(
            "agent", "--id", site.agent("free"), env=site.env, log=site.directory / "a.log"
        ) as a,
    ):
        handle = await system.start(lost, "free")
        promotion = handle.id.removeprefix("promotion/")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        await system.until_settled(handle.id)
        worker.stop()
        a.stop()

    (failed,) = [line for line in a.of(promotion) if line["severity_number"] > 9]
    assert failed["event_name"] == "activity.failed"
    assert failed["attributes"]["exception.type"] == "DriverError"
    assert "there is no file" in failed["attributes"]["exception.message"]
    span = span_of(failed, receiver.of(failed["trace_id"]))
    assert span.name == "agent.task.pull"
    assert span.attributes["error.type"] == "DriverError"
    told = [line["event_name"] for line in worker.of(promotion) if line["severity_number"] > 9]
    assert told == ["deployment.ended", "step.ended", "promotion.ended"]
    assert all(
        line["attributes"]["error.type"] == "DriverError"
        for line in worker.of(promotion)
        if line["severity_number"] > 9
    )


async def test_a_refused_request_is_told_without_a_stack_trace(site: Site) -> None:
    with logged("worker", env=site.env, log=site.directory / "w.log") as worker:
        handle = await site.system.start("web@9", "free")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        worker.stop()

    (refused,) = [line for line in worker.lines if "trace_id" in line]
    assert refused["event_name"] == "promotion.refused"
    assert refused["severity_text"] == "INFO"
    assert "web@9" in refused["body"]


async def run_one(site: Site, version: str, level: str, **more: str) -> tuple[Logged, Logged]:
    env = {**site.env, "PROMOTE_LOG_LEVEL": level, **more}
    log = site.directory
    with (
        logged("worker", env=env, log=log / f"worker-{level}.log") as worker,
        logged("agent", "--id", site.agent("free"), env=env, log=log / f"a-{level}.log") as agent,
    ):
        handle = await site.system.start(await site.system.release(version), "free")
        await handle.result()
        worker.stop()
        agent.stop()
    return worker, agent


async def test_the_level_says_how_much_is_told(site: Site) -> None:
    quiet = await run_one(site, "1.0.0", "warning")
    assert not [line for process in quiet for line in process.lines if is_ours(line)]
    worker, agent = await run_one(site, "1.0.1", "DEBUG")
    assert {"step.started", "deployment.batch_started"} <= set(events(worker.lines))
    assert "agent.task.started" in events(agent.lines)
    # Libraries tell what they do at this level, and with it what they do it with.
    lines = [*worker.lines, *agent.lines]
    assert all(is_ours(line) for line in lines if line["severity_number"] < 13)


async def test_lines_for_people_are_written_on_request(site: Site) -> None:
    worker, agent = await run_one(site, "1.0.0", "info", PROMOTE_LOG_FORMAT="console")
    for process in (worker, agent):
        assert "[info     ]" in process.text
        assert "trace_id=" in process.text
        assert process.text.replace("\n", "").isprintable()
    assert "web@1.0.0 to free: succeeded [workflows.record] promotion.id=" in worker.text
    assert "deploy of web on t1 succeeded: switched to web@1.0.0" in agent.text


async def test_secrets_of_a_service_are_in_no_log(site: Site) -> None:
    system = site.system
    target = (
        f"      - name: t1\n        agent: {site.agent('secret')}\n        config:\n"
        "          service:\n            command: ['/bin/sh', '-c', 'exit 3']\n"
        f"            environment: {{DB_PASSWORD: {CANARY}}}\n"
        "          health: {url: 'http://127.0.0.1:1/', timeout: 1s}\n"
    )
    await system.apply(f"environments:\n  - name: secret\n    targets:\n{target}    gates: []\n")
    env = {**site.env, "PROMOTE_LOG_LEVEL": "debug"}
    with (
        logged("worker", env=env, log=site.directory / "w.log") as worker,
        logged("agent", "--id", site.agent("secret"), env=env, log=site.directory / "a.log") as a,
    ):
        handle = await system.start(await system.release("1.0.0"), "secret")
        promotion = handle.id.removeprefix("promotion/")
        await asyncio.to_thread(a.until_event, "activity.failed", promotion)
        await handle.terminate()
        worker.stop()
        a.stop()

    assert a.of(promotion)
    assert CANARY not in worker.text
    assert CANARY not in a.text


async def test_a_collector_that_is_away_is_told_of_once(site: Site) -> None:
    with grpc_receiver() as gone:
        port = int(gone.endpoint.rpartition(":")[2])
    env = {
        **site.env,
        "OTEL_EXPORTER_OTLP_ENDPOINT": gone.endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    system = site.system
    with (
        logged("worker", env=env, log=site.directory / "w.log") as worker,
        logged("agent", "--id", site.agent("free"), env=env, log=site.directory / "a.log"),
    ):
        for version in ("1.0.0", "1.0.1", "1.0.2"):
            await (await system.start(await system.release(version), "free")).result()
            await asyncio.to_thread(worker.until_event, "telemetry.export.failing")
        theirs = [
            line
            for line in worker.lines
            if line["instrumentation_scope"]["name"].startswith("opentelemetry")
        ]
        ours = [line for line in worker.lines if line.get("event_name", "").startswith("telemetry")]
        assert [line["event_name"] for line in ours] == ["telemetry.export.failing"]
        assert len(theirs) <= 3
        with grpc_receiver(port) as back:
            await asyncio.to_thread(worker.until_event, "telemetry.export.recovered")
            await until(lambda: bool(back.spans), "the collector has spans")
            worker.stop()
    assert events(worker.lines).count("telemetry.export.recovered") >= 1
