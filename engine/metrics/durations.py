"""Durations, out of what the workflows have decided to record.

Start and end of everything that is measured are in the arguments of the activities that record it,
in the workflow's own time. So nothing is measured during a replay, a crash in between changes no
duration, and it does not matter whether the promotion is traced.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from opentelemetry.metrics import Histogram, Meter

from activities.contract import (
    GateRecord,
    JobRecord,
    Resolution,
    RunRecord,
    StatusRecord,
    StepRecord,
)
from engine.errors import PromotionEngineError
from engine.metrics import names
from engine.metrics.names import Metric
from engine.metrics.observation import observe
from engine.model.delivery import Subject
from engine.model.execution import StepStatus
from engine.model.verdict import GateOutcome
from engine.telemetry.conventions import RESULTS

MEASURED = (
    names.PROMOTION_DURATION,
    names.PIPELINE_DURATION,
    names.STEP_DURATION,
    names.TASK_DURATION,
    names.APPROVAL_WAIT,
)
MOST_WAITING = 10_000
MOST_REMEMBERED = 20_000
LONGEST_DRAIN = timedelta(seconds=2)

_APPROVAL = "approval"
_EXECUTING = "executing"
_OTHER = "_OTHER"
"""By https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/ for any error."""

_APPROVAL_RESULTS = {
    StepStatus.SUCCEEDED: GateOutcome.PASSED,
    StepStatus.FAILED: GateOutcome.FAILED,
    StepStatus.CANCELLED: GateOutcome.SKIPPED,
}
_LOGGER = logging.getLogger(__name__)

Record = StatusRecord | GateRecord | StepRecord | RunRecord | JobRecord


@dataclass(frozen=True)
class Duration:
    """One thing that has come to its end.

    Attributes:
        key: tells it from everything else that the promotion has of this metric.
        started_at: None for the promotion itself, which began when it was requested.
    """

    metric: Metric
    key: str
    started_at: datetime | None
    ended_at: datetime
    attributes: dict[str, str] = field(default_factory=dict)


def ended(record: object) -> Iterator[Duration]:
    """What has come to its end, by what is recorded."""
    match record:
        case StatusRecord() if record.status.is_final:
            about = {names.PROMOTION_STATUS: record.status.value}
            yield Duration(names.PROMOTION_DURATION, "", None, record.at, about)
        case GateRecord(result=gate) if gate.type == _APPROVAL:
            yield _approval(f"gate/{gate.name}", gate.started_at, gate.ended_at, gate.outcome)
        case StepRecord(result=step) if not (
            step.status is StepStatus.SKIPPED or step.taken_over_from
        ):
            about = {names.STEP_TYPE: step.type, names.STEP_RESULT: RESULTS[step.status]}
            key = step.node_id if step.compensates is None else f"{step.node_id}/back"
            yield Duration(names.STEP_DURATION, key, step.started_at, step.ended_at, about)
            if step.type == _APPROVAL:
                outcome = _APPROVAL_RESULTS[step.status]
                key = f"step/{step.node_id}"
                yield _approval(key, step.started_at, step.ended_at, outcome)
        case RunRecord() if record.ended_at is not None:
            about = {
                names.PIPELINE_NAME: record.template,
                names.PIPELINE_STATE: _EXECUTING,
                names.PIPELINE_RESULT: RESULTS[record.status],
            }
            if record.status is StepStatus.FAILED:
                # Required with a failure, and what is recorded of a run does not tell the type.
                about[names.ERROR_TYPE] = _OTHER
            yield Duration(names.PIPELINE_DURATION, "", record.started_at, record.ended_at, about)
        case JobRecord(result=job):
            for task in job.tasks:
                about = {names.TASK_TYPE: task.type.value, names.TASK_STATUS: task.status.value}
                key = str(task.task_id)
                yield Duration(names.TASK_DURATION, key, task.started_at, task.ended_at, about)


def _approval(key: str, started_at: datetime, ended_at: datetime, outcome: GateOutcome) -> Duration:
    about = {names.APPROVAL_RESULT: outcome.value}
    return Duration(names.APPROVAL_WAIT, key, started_at, ended_at, about)


class Durations:
    """The histograms, and the way of a duration into them.

    An activity may run twice, and says the same both times. What was measured lately is therefore
    remembered here; another process that does the same work again is not known of.

    Args:
        subject: looks up what a promotion is about.
    """

    def __init__(self, meter: Meter, subject: Callable[[UUID], Awaitable[Subject | None]]) -> None:
        self._lookup = subject
        self._histograms: dict[str, Histogram] = {
            metric.name: meter.create_histogram(
                metric.name,
                metric.unit,
                metric.description,
                explicit_bucket_boundaries_advisory=metric.boundaries,
            )
            for metric in MEASURED
        }
        self._queue: asyncio.Queue[Record] = asyncio.Queue(MOST_WAITING)
        self._subjects: OrderedDict[UUID, Subject] = OrderedDict()
        self._measured: OrderedDict[tuple[UUID, str, str], None] = OrderedDict()
        self._lost = 0
        observe(meter, names.DURATIONS_LOST, lambda: [(self._lost, {})])

    def resolved(self, resolution: Resolution) -> None:
        """Learn what a promotion is about."""
        promotion = resolution.promotion
        self._remember(
            promotion.promotion_id,
            Subject(
                tenant=promotion.tenant,
                environment=promotion.environment.name,
                requested_at=promotion.requested_at,
            ),
        )

    def recorded(self, record: Record) -> None:
        """Take note of something that was recorded; it is measured later."""
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            self._lost += 1

    async def run(self) -> None:
        """Measure what was recorded, until cancelled."""
        while True:
            record = await self._queue.get()
            try:
                await self._measure(record)
            except PromotionEngineError as error:
                self._lost += 1
                _LOGGER.warning("a duration is not measured: %s", error)
            finally:
                self._queue.task_done()

    async def drain(self) -> None:
        """Wait until all is measured that was recorded so far, within `LONGEST_DRAIN`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DRAIN.total_seconds()):
                await self._queue.join()

    async def _measure(self, record: Record) -> None:
        durations = list(ended(record))
        if not durations:
            return
        subject = await self._subject(record.promotion_id)
        if subject is None:
            return
        where = {
            names.TENANT_NAME: subject.tenant,
            names.ENVIRONMENT_NAME: subject.environment,
        }
        for one in durations:
            if self._is_new((record.promotion_id, one.metric.name, one.key)):
                started_at = one.started_at or subject.requested_at
                self._histograms[one.metric.name].record(
                    max(0.0, (one.ended_at - started_at).total_seconds()),
                    {**where, **one.attributes},
                )

    async def _subject(self, promotion_id: UUID) -> Subject | None:
        known = self._subjects.get(promotion_id)
        if known is not None:
            return known
        found = await self._lookup(promotion_id)
        if found is not None:
            self._remember(promotion_id, found)
        return found

    def _remember(self, promotion_id: UUID, subject: Subject) -> None:
        self._subjects[promotion_id] = subject
        if len(self._subjects) > MOST_REMEMBERED:
            self._subjects.popitem(last=False)

    def _is_new(self, key: tuple[UUID, str, str]) -> bool:
        if key in self._measured:
            return False
        self._measured[key] = None
        if len(self._measured) > MOST_REMEMBERED:
            self._measured.popitem(last=False)
        return True
