"""What tracing costs: `python -m benchmarks.tracing [PROMOTIONS] [ROUNDS]`.

Each round carries out the same number of promotions with tracing off and on, and the same number of
workflows of the same shape (a workflow, two children, eight short and six agent activities) without
and with the official OpenTelemetry plugin of the Temporal SDK. The ratios are those of the rounds'
throughputs; the receiver is a process of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.worker import Worker

from engine.worker import running_worker
from tests.harness.receiver import grpc_receiver
from tests.harness.system import System, prepared_system, with_agents
from tests.harness.temporal import file_server

ENVIRONMENTS = 8
SHORT = timedelta(seconds=30)
QUEUE = "shape"


@activity.defn
async def work(number: int) -> int:
    """As little as an activity can do."""
    return number


@workflow.defn(name="shape.deploy", sandboxed=False)
class Deploy:
    """Two local and six ordinary activities."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity(work, 0, start_to_close_timeout=SHORT)
        for _ in range(3):
            await asyncio.gather(
                workflow.execute_activity(work, 1, start_to_close_timeout=SHORT),
                workflow.execute_activity(work, 2, start_to_close_timeout=SHORT),
            )
        await workflow.execute_local_activity(work, 3, start_to_close_timeout=SHORT)


@workflow.defn(name="shape.execute", sandboxed=False)
class Execute:
    """Two local activities around a child."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity(work, 0, start_to_close_timeout=SHORT)
        await workflow.execute_child_workflow(Deploy.run, id=f"{workflow.info().workflow_id}/d")
        await workflow.execute_local_activity(work, 1, start_to_close_timeout=SHORT)


@workflow.defn(name="shape.promotion", sandboxed=False)
class Promotion:
    """Four local activities around a child."""

    @workflow.run
    async def run(self) -> None:
        for number in range(2):
            await workflow.execute_local_activity(work, number, start_to_close_timeout=SHORT)
        await workflow.execute_child_workflow(Execute.run, id=f"{workflow.info().workflow_id}/e")
        for number in range(2):
            await workflow.execute_local_activity(work, number, start_to_close_timeout=SHORT)


def _receive(connection: Connection) -> None:
    with grpc_receiver() as receiver:
        connection.send(receiver.endpoint)
        connection.recv()


async def ours(system: System, count: int, endpoint: str) -> float:
    """Promotions per second of our engine; an empty endpoint turns tracing off."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("OTEL_BSP_SCHEDULE_DELAY", "1000")
        if endpoint:
            environ.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        async with running_worker(system.settings):
            release = f"web@1.{uuid4().int % 1_000_000}.0"
            release = await system.release(release.removeprefix("web@"))
            names = [f"e{number}-t{t}" for number in range(ENVIRONMENTS) for t in (1, 2)]
            async with with_agents(system, *names):
                start = time.perf_counter()
                handles = [
                    await system.start(release, f"e{number % ENVIRONMENTS}")
                    for number in range(count)
                ]
                await asyncio.gather(*(handle.result() for handle in handles))
                return count / (time.perf_counter() - start)


def set_up_official(endpoint: str) -> None:
    """Set the process's tracer provider, which the official plugin uses; possible once."""
    provider = create_tracer_provider()
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint), schedule_delay_millis=1000)
    )
    otel_trace.set_tracer_provider(provider)


async def shape(address: str, count: int, endpoint: str) -> float:
    """Workflows of the same shape per second, with the official plugin or without."""
    plugins = [OpenTelemetryPlugin()] if endpoint else []
    client = await Client.connect(address, plugins=plugins)
    worker = Worker(
        client, task_queue=QUEUE, workflows=[Promotion, Execute, Deploy], activities=[work]
    )
    async with worker:
        start = time.perf_counter()
        handles = [
            await client.start_workflow(Promotion.run, id=f"shape/{uuid4()}", task_queue=QUEUE)
            for _ in range(count)
        ]
        await asyncio.gather(*(handle.result() for handle in handles))
        return count / (time.perf_counter() - start)


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[System, str, str]]:
    """A system without a worker, the server's address, and the receiver's endpoint."""
    parent, child = multiprocessing.Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=_receive, args=(child,))
    receiver.start()
    endpoint: str = parent.recv()
    with (
        tempfile.TemporaryDirectory() as home,
        pytest.MonkeyPatch.context() as environ,
        file_server(Path(home) / "temporal.db") as server,
    ):
        async with prepared_system(Path(home), server.address, environ) as system:
            await system.apply(
                "environments:\n"
                + "".join(system.environment_yaml(f"e{n}") for n in range(ENVIRONMENTS))
            )
            yield system, server.address, endpoint
    parent.send("stop")
    receiver.join()


async def main(count: int, rounds: int) -> None:
    """Measure and print the ratios."""
    ours_ratios, official_ratios, against = [], [], []
    async with stage() as (system, address, endpoint):
        set_up_official(endpoint)
        await ours(system, count, "")
        for number in range(rounds):
            off, on = await ours(system, count, ""), await ours(system, count, endpoint)
            plain, official = (
                await shape(address, count, ""),
                await shape(address, count, endpoint),
            )
            ours_ratios.append(on / off)
            official_ratios.append(official / plain)
            against.append((on / off) / (official / plain))
            print(
                f"round {number + 1}: ours {off:.2f}/s off, {on:.2f}/s on; "
                f"same shape {plain:.2f}/s plain, {official:.2f}/s official plugin",
                flush=True,
            )
    print(f"throughput with our tracing on, of off:       {statistics.median(ours_ratios):.3f}")
    print(f"throughput with the official plugin, of off:  {statistics.median(official_ratios):.3f}")
    print(f"ours to the official plugin's:                {statistics.median(against):.3f}")
    os._exit(0)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(arguments + [40, 3][len(arguments) :])))
