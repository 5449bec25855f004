"""What `promote doctor` looks at, each with what is in force and whether it works."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from engine.config import Settings
from engine.errors import PromotionEngineError
from engine.evidence.keys import SigningKey
from engine.metrics.provider import destination
from engine.model.base import Value
from engine.otel import opentelemetry_configured
from engine.search_attributes import missing_search_attributes
from engine.store.address import display, parse
from engine.store.store import Store
from engine.telemetry import ids
from engine.telemetry.export import schedule_delay, sink_from_environment
from engine.telemetry.record import SpanRecord
from engine.telemetry.resource import resource
from engine.telemetry.sampling import DEFAULT_SAMPLER, sampler
from engine.temporal import connect

TEST_SPAN = "promote.doctor"


class Finding(Value):
    """One thing that was looked at."""

    subject: str
    good: bool
    detail: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; what does not work is a finding and not an error."""
    findings = [
        await _finding("Temporal", lambda: _temporal(settings)),
        await _finding("database", lambda: _database(settings)),
        await _finding("signing key", lambda: _key(settings)),
    ]
    try:
        with opentelemetry_configured(settings):
            findings += [
                await _finding("telemetry", lambda: _telemetry(settings)),
                await _finding("metrics", _metrics),
                await _finding("test span", _test_span),
            ]
    except PromotionEngineError as error:
        findings.append(Finding(subject="telemetry", good=False, detail=str(error)))
    return findings


async def _finding(subject: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(subject=subject, good=True, detail=await look())
    except PromotionEngineError as error:
        return Finding(subject=subject, good=False, detail=str(error))


async def _temporal(settings: Settings) -> str:
    client = await connect(settings)
    missing = await missing_search_attributes(client)
    if missing:
        raise PromotionEngineError(
            f"namespace {client.namespace!r} lacks the search attributes {', '.join(missing)}; "
            "run: promote server init"
        )
    return f"{client.service_client.config.target_host}, namespace {client.namespace}"


async def _database(settings: Settings) -> str:
    async with Store.open(settings.effective_database_url) as store:
        await store.require_current_schema()
        return f"{display(parse(settings.effective_database_url))}, schema current"


async def _key(settings: Settings) -> str:
    path = settings.effective_signing_key
    if settings.signing_key is None and not path.exists():
        return f"{path}, to be made by the first worker"
    return f"{path}, key id {(await asyncio.to_thread(SigningKey.load, path)).key_id}"


async def _telemetry(settings: Settings) -> str:
    sampler(None)
    variables = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        # Headers hold credentials.
        if name.startswith("OTEL_") and "HEADERS" not in name
    ]
    file = settings.effective_otel_config
    attributes = {key: str(value) for key, value in resource().attributes.items()}
    parts = [
        f"file {file}" if file else "no otel-config.yaml",
        f"service {attributes['service.name']} {attributes['service.version']}",
        f"environment {attributes['deployment.environment']}",
        f"sampler {os.environ.get('OTEL_TRACES_SAMPLER') or DEFAULT_SAMPLER}",
        f"batches every {schedule_delay().total_seconds():g} s",
        *variables,
    ]
    return "; ".join(parts)


async def _metrics() -> str:
    where = destination()
    if where is None:
        return "not exported: no OTLP endpoint is set for them"
    return f"to {where.endpoint} by {where.protocol}, every {where.every.total_seconds():g} s"


async def _test_span() -> str:
    sink = sink_from_environment()
    if sink is None:
        return "not sent: no OTLP endpoint is set, so nothing is exported"
    now = datetime.now(UTC)
    trace_id = ids.trace_id(uuid4())
    span = SpanRecord(
        trace_id=trace_id,
        span_id=ids.span_id(trace_id, TEST_SPAN, TEST_SPAN),
        name=TEST_SPAN,
        started_at=now,
        ended_at=now,
    )
    try:
        await asyncio.to_thread(sink.deliver, [span])
    finally:
        await asyncio.to_thread(sink.shutdown)
    return f"taken by the collector: trace {trace_id}"
