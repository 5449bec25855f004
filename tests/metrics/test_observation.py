"""Readings that are refreshed now and then, and told by instruments on another thread."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from engine.errors import UnreachableError
from engine.metrics import observation
from engine.metrics.names import LOCK_QUEUE, PROMOTIONS
from engine.metrics.observation import Readings, Source
from tests.harness.system import until


class Reader:
    """Something to read that can be slow, or broken, or tell other values."""

    def __init__(self) -> None:
        self.value = 1.0
        self.error: Exception | None = None
        self.takes = 0.0
        self.reads = 0

    async def read(self) -> Readings:
        self.reads += 1
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error
        return {LOCK_QUEUE.name: [(self.value, {"environment.name": "staging"})]}


def source(reader: Reader, every: float = 60) -> tuple[Source, InMemoryMetricReader]:
    exported = InMemoryMetricReader()
    found = Source("a test", [LOCK_QUEUE, PROMOTIONS], reader.read, timedelta(seconds=every))
    found.register(MeterProvider([exported]).get_meter("test"))
    return found, exported


def told(exported: InMemoryMetricReader) -> list[float]:
    data = exported.get_metrics_data()
    return [
        point.value
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    ]


async def test_nothing_is_told_before_the_first_reading_and_then_the_last_one() -> None:
    reader = Reader()
    found, exported = source(reader)
    assert told(exported) == []
    for value in (1.0, 4.0):
        reader.value = value
        await found.refresh()
        assert told(exported) == told(exported) == [value]


async def test_readings_that_are_not_renewed_go_out_of_date() -> None:
    reader = Reader()
    found, exported = source(reader, every=0.5)
    await found.refresh()
    assert told(exported) == [1.0]
    reader.error = UnreachableError("it is away")
    await found.refresh()
    # What is out of date is not renewed by a failure.
    await until(lambda: told(exported) == [], "nothing is told any more")


async def test_what_fails_is_logged_when_it_begins_and_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = Reader()
    found, exported = source(reader, every=0.01)
    caplog.set_level(logging.WARNING, logger=observation.__name__)
    reader.error = UnreachableError("it is away")
    running = asyncio.create_task(found.run())
    try:
        await until(lambda: reader.reads > 3, "it is tried again")
        assert [record.getMessage() for record in caplog.records] == [
            "no metrics of a test for now: it is away"
        ]
        reader.error = None
        await until(lambda: told(exported) == [1.0], "it is told again")
    finally:
        running.cancel()


async def test_a_fault_in_a_measurement_ends_neither_it_nor_anything_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = Reader()
    reader.error = ZeroDivisionError("a fault")
    found, exported = source(reader)
    await found.refresh()
    assert told(exported) == []
    assert "a fault" in caplog.text


async def test_a_source_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "LONGEST_READ", timedelta(seconds=0.05))
    reader = Reader()
    reader.takes = 600
    found, exported = source(reader)
    await found.refresh()
    assert told(exported) == []


async def test_a_source_rests_in_proportion_to_what_it_costs() -> None:
    reader = Reader()
    found, _ = source(reader, every=0.01)
    reader.takes = 0.05
    assert await found.refresh() >= observation.SHARE * 0.05
    reader.takes = 0
    quick, _ = source(reader, every=600)
    assert await quick.refresh() == 600
