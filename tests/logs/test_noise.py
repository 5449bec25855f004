from __future__ import annotations

import logging
from typing import Any

from engine.logs.noise import SUPPRESSED, Limit, is_not_told_by_us
from engine.telemetry.events import event
from tests.logs.conftest import Log


def record(name: str, line: int = 1, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, line, "trouble", (), None)
    made.__dict__.update(extra)
    return made


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_exporter_is_heard_once_a_minute_and_the_rest_is_counted() -> None:
    clock = Clock()
    limit = Limit(clock)
    name = "opentelemetry.exporter.otlp.proto.grpc.exporter"
    assert [limit.filter(record(name)) for _ in range(4)] == [True, False, False, False]
    assert limit.filter(record(name, line=2)), "other trouble of the same exporter"
    clock.now += 59
    assert not limit.filter(record(name))
    clock.now += 1
    heard = record(name)
    assert limit.filter(heard)
    assert getattr(heard, SUPPRESSED) == 4
    assert not limit.filter(record(name))


def test_lines_with_a_key_are_limited_by_it_and_others_are_not() -> None:
    limit = Limit(Clock())
    first, second = (record("engine", **event("x", once_a_minute=key)) for key in "ab")
    assert limit.filter(first)
    assert limit.filter(second)
    assert not limit.filter(first)
    assert all(limit.filter(record("engine", **event("x"))) for _ in range(9))


def test_a_line_tells_how_many_it_stands_for(log: Log) -> None:
    log.logger.warning("trouble", extra={SUPPRESSED: 3})
    assert log.line["attributes"] == {SUPPRESSED: 3}


def test_the_memory_of_keys_is_bounded() -> None:
    clock = Clock()
    limit = Limit(clock)
    for number in range(5000):
        assert limit.filter(record("engine", **event("x", once_a_minute=str(number))))
    assert len(limit._written) <= 1000


def test_the_sdks_line_about_a_failed_activity_gives_way_to_ours() -> None:
    theirs = record("temporalio.activity", __temporal_error_identifier="ActivityFailure")
    assert not is_not_told_by_us(theirs)
    assert is_not_told_by_us(record("temporalio.activity"))
