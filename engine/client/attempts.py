"""How often the work of a span was tried, out of Temporal's event histories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from engine.model.agent_task import AgentTask
from engine.telemetry import names
from engine.telemetry.record import SpanRecord

_LOCAL = "core_local_activity"
"""The marker with which the SDK's core records a local activity."""


async def attempts_of(
    client: Client, parts: Iterable[WorkflowHistory], spans: Iterable[SpanRecord]
) -> dict[str, int]:
    """The number of the last attempt that was made, by span id, for the spans that were activities.

    Args:
        parts: the histories of a promotion and of its children.
        spans: of its trace.
    """
    by_run: dict[tuple[object, str], SpanRecord] = {}
    by_task: dict[object, SpanRecord] = {}
    for span in sorted(spans, key=lambda span: span.started_at):
        by_run[span.attributes.get(names.TEMPORAL_RUN_ID), span.name] = span
        # Earlier attempts have spans of their own, which tell theirs.
        by_task[span.attributes.get(names.TASK_ID)] = span
    found: dict[str, int] = {}
    for history in parts:
        found.update(_local(history, by_run))
        for task_id, attempt in (await _remote(client, history)).items():
            if task_id in by_task:
                found[by_task[task_id].span_id] = attempt
    return found


async def _remote(client: Client, history: WorkflowHistory) -> dict[str, int]:
    """The last attempt of each task of an agent that has ended, by the task's id."""
    scheduled: dict[int, str] = {}
    found: dict[str, int] = {}
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            about = event.activity_task_scheduled_event_attributes
            if about.activity_type.name.startswith(names.agent_task("")):
                (task,) = await client.data_converter.decode(about.input.payloads, [AgentTask])
                scheduled[event.event_id] = str(task.id)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            if started.scheduled_event_id in scheduled:
                found[scheduled[started.scheduled_event_id]] = started.attempt
    return found


def _local(
    history: WorkflowHistory, spans: Mapping[tuple[object, str], SpanRecord]
) -> dict[str, int]:
    run = history.run_id
    found: dict[str, int] = {}
    for event in history.events:
        data = _marker(event)
        span = spans.get((run, str(data.get("activity_type", ""))))
        attempt = data.get("attempt")
        if span is not None and isinstance(attempt, int):
            found[span.span_id] = attempt
    return found


def _marker(event: HistoryEvent) -> Mapping[str, object]:
    about = event.marker_recorded_event_attributes
    if about.marker_name != _LOCAL or "data" not in about.details:
        return {}
    data = json.loads(about.details["data"].payloads[0].data)
    return data if isinstance(data, dict) else {}
