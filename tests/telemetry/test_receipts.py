from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest

from engine.telemetry.receipts import ReceiptWriter

Ids = list[tuple[str, str]]


async def test_receipts_of_another_thread_are_written_on_the_loop_that_made_the_writer() -> None:
    written: list[tuple[threading.Thread, Ids]] = []

    async def write(spans: Sequence[tuple[str, str]]) -> None:
        await asyncio.sleep(0)
        written.append((threading.current_thread(), list(spans)))

    writer = ReceiptWriter(write)
    batches: list[Ids] = [[("t1", "s1"), ("t1", "s2")], [("t2", "s3")]]

    def export() -> None:
        for batch in batches:
            writer(batch)

    await asyncio.to_thread(export)
    await writer.drain()
    assert written == [(threading.current_thread(), batch) for batch in batches]


async def test_draining_waits_for_what_is_being_written() -> None:
    may_end = asyncio.Event()
    written: Ids = []

    async def write(spans: Sequence[tuple[str, str]]) -> None:
        await may_end.wait()
        written.extend(spans)

    writer = ReceiptWriter(write)
    await asyncio.to_thread(writer, [("t", "s")])
    draining = asyncio.create_task(writer.drain())
    done, _ = await asyncio.wait([draining], timeout=0.05)
    assert not done
    assert written == []
    may_end.set()
    await draining
    assert written == [("t", "s")]


async def test_a_receipt_that_cannot_be_written_is_logged_and_holds_nothing_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    written: Ids = []

    async def write(spans: Sequence[tuple[str, str]]) -> None:
        if spans[0][0] == "bad":
            raise OSError("the disk is full")
        written.extend(spans)

    writer = ReceiptWriter(write)
    with caplog.at_level(logging.WARNING, "engine.telemetry.receipts"):
        await asyncio.to_thread(writer, [("bad", "s1"), ("bad", "s2")])
        await asyncio.to_thread(writer, [("good", "s3")])
        await writer.drain()
    assert written == [("good", "s3")]
    (record,) = caplog.records
    assert record.getMessage() == "2 span receipts were not written: the disk is full"


async def test_draining_nothing_returns() -> None:
    async def write(spans: Sequence[tuple[str, str]]) -> None:
        raise AssertionError

    await ReceiptWriter(write).drain()
