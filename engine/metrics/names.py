"""Every metric of ours: name, kind, unit and attributes.

Naming: https://opentelemetry.io/docs/specs/semconv/general/naming/#metrics. Where the semantic
conventions have a metric (`cicd.*`, `otel.sdk.*`) it is used. No attribute is an id, so that the
number of series is bounded by environments, gates and templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.telemetry import names as traced


class Kind(StrEnum):
    """Kinds of instruments (https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument)."""

    OBSERVABLE_COUNTER = "observable counter"
    OBSERVABLE_GAUGE = "observable gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        unit: by UCUM, as the semantic conventions have it.
        boundaries: of a histogram's buckets, in its unit.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()


TENANT_NAME: Final = "tenant.name"
ENVIRONMENT_NAME: Final = traced.ENVIRONMENT_NAME
PROMOTION_STATUS: Final = traced.PROMOTION_STATUS
GATE_NAME: Final = traced.GATE_NAME
GATE_TYPE: Final = traced.GATE_TYPE
GATE_RESULT: Final = traced.GATE_RESULT
STEP_TYPE: Final = "step.type"
STEP_RESULT: Final = traced.CICD_TASK_RUN_RESULT
TASK_TYPE: Final = traced.TASK_TYPE
TASK_STATUS: Final = traced.TASK_STATUS
APPROVAL_RESULT: Final = "approval.result"
PIPELINE_NAME: Final = traced.CICD_PIPELINE_NAME
PIPELINE_STATE: Final = "cicd.pipeline.run.state"
PIPELINE_RESULT: Final = traced.CICD_PIPELINE_RESULT
ERROR_TYPE: Final = traced.ERROR_TYPE

_WHERE: Final = (TENANT_NAME, ENVIRONMENT_NAME)

SHORT: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Boundaries for work of machines, in seconds: up to an hour."""

LONG: Final = (
    1,
    5,
    15,
    30,
    60,
    120,
    300,
    600,
    1800,
    3600,
    7200,
    21600,
    43200,
    86400,
    259200,
    604800,
)
"""Boundaries for what waits for people, in seconds: up to a week."""

PROMOTIONS: Final = Metric(
    "promotion.ended",
    Kind.OBSERVABLE_COUNTER,
    "{promotion}",
    "Promotions that have ended.",
    (*_WHERE, PROMOTION_STATUS),
)
GATE_RESULTS: Final = Metric(
    "promotion.gate.results",
    Kind.OBSERVABLE_COUNTER,
    "{result}",
    "Final words of gates.",
    (*_WHERE, GATE_NAME, GATE_TYPE, GATE_RESULT),
)
PROMOTION_DURATION: Final = Metric(
    "promotion.duration",
    Kind.HISTOGRAM,
    "s",
    "From the request of a promotion to its end.",
    (*_WHERE, PROMOTION_STATUS),
    LONG,
)
PIPELINE_DURATION: Final = Metric(
    "cicd.pipeline.run.duration",
    Kind.HISTOGRAM,
    "s",
    "Duration of a pipeline run grouped by pipeline, state and result.",
    (*_WHERE, PIPELINE_NAME, PIPELINE_STATE, PIPELINE_RESULT, ERROR_TYPE),
    LONG,
)
STEP_DURATION: Final = Metric(
    "promotion.step.duration",
    Kind.HISTOGRAM,
    "s",
    "Duration of a step of a template.",
    (*_WHERE, STEP_TYPE, STEP_RESULT),
    LONG,
)
TASK_DURATION: Final = Metric(
    "promotion.task.duration",
    Kind.HISTOGRAM,
    "s",
    "Duration of a task on an agent, with its wait for the agent.",
    (*_WHERE, TASK_TYPE, TASK_STATUS),
    SHORT,
)
APPROVAL_WAIT: Final = Metric(
    "promotion.approval.wait.duration",
    Kind.HISTOGRAM,
    "s",
    "How long an approval, as a gate or as a step, was waited for.",
    (*_WHERE, APPROVAL_RESULT),
    LONG,
)
LOCK_QUEUE: Final = Metric(
    "promotion.lock.queue.size",
    Kind.OBSERVABLE_GAUGE,
    "{promotion}",
    "Promotions that wait for the lock of their environment.",
    _WHERE,
)
SETTLEMENT_BACKLOG: Final = Metric(
    "promotion.trace.settlement.backlog",
    Kind.OBSERVABLE_GAUGE,
    "{trace}",
    "Traces of ended promotions that are not settled yet.",
)
RECEIPTS_LOST: Final = Metric(
    "promotion.trace.receipts.lost",
    Kind.OBSERVABLE_COUNTER,
    "{span}",
    "Exported spans whose receipt could not be written, so that they are delivered again.",
)
DURATIONS_LOST: Final = Metric(
    "promotion.metrics.durations.lost",
    Kind.OBSERVABLE_COUNTER,
    "{duration}",
    "Durations that are in no histogram, because too many came at once.",
)
DEPLOYMENT_FREQUENCY: Final = Metric(
    "dora.deployment.frequency",
    Kind.OBSERVABLE_GAUGE,
    "{deployment}/d",
    "Changes deployed successfully, per day of the window.",
    _WHERE,
)
LEAD_TIME: Final = Metric(
    "dora.change.lead_time",
    Kind.OBSERVABLE_GAUGE,
    "s",
    "Median time from the registration of a release to its first successful deployment.",
    _WHERE,
)
CHANGE_FAILURE_RATE: Final = Metric(
    "dora.change.failure_rate",
    Kind.OBSERVABLE_GAUGE,
    "1",
    "Part of the deployed changes that failed or were rolled back.",
    _WHERE,
)
RECOVERY_TIME: Final = Metric(
    "dora.deployment.recovery_time",
    Kind.OBSERVABLE_GAUGE,
    "s",
    "Median time from a failed deployment to the successful one that made it good.",
    _WHERE,
)

METRICS: Final = (
    PROMOTIONS,
    GATE_RESULTS,
    PROMOTION_DURATION,
    PIPELINE_DURATION,
    STEP_DURATION,
    TASK_DURATION,
    APPROVAL_WAIT,
    LOCK_QUEUE,
    SETTLEMENT_BACKLOG,
    RECEIPTS_LOST,
    DURATIONS_LOST,
    DEPLOYMENT_FREQUENCY,
    LEAD_TIME,
    CHANGE_FAILURE_RATE,
    RECOVERY_TIME,
)
"""All of them."""

TEMPORAL: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, *SHORT, 21600, 86400, 604800)
"""Boundaries for the durations that Temporal's SDK measures, in seconds."""
