"""The gate `metric`: figures out of Prometheus, held against a threshold as often as wanted."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.actions.http import HeaderName, HeaderValue
from engine.actions.urls import Url
from engine.errors import GateError
from engine.gates.configuration import applied
from engine.gates.prometheus import instant
from engine.gates.protocol import GateContext, GateServices
from engine.gates.texts import Text, filled
from engine.model.base import Document, Duration, Json, Timestamp, Value
from engine.model.gate_config import LONGEST_WAIT
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_VALUES_KEPT = 2
_LONGEST_NUMBER = 40


class Found(StrEnum):
    """What one sample came to."""

    PASSED = "passed"
    FAILED = "failed"
    NO_DATA = "no_data"


class MetricConfig(Document):
    """What to ask for, how often, and what is good enough.

    Attributes:
        url: of the server, without `/api/v1/query`.
        headers: values may be references to secrets.
        query: PromQL, with expressions in `${{ … }}` over promotion, release and environment. Each
            element of a vector has to hold.
        samples: how many are taken.
        interval: between two of them.
        initial_delay: before the first.
        failure_limit: how many may fail.
        consecutive: with so many passed in a row, the gate needs no more.
        on_no_data: whether a sample that has no number fails or passes.
        timeout: of one query.
    """

    url: Url
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, max_length=50)
    query: Text = Field(min_length=1, max_length=16 * 1024)
    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    threshold: float = Field(allow_inf_nan=False)
    samples: int = Field(default=1, ge=1, le=100, strict=True)
    interval: Duration = Field(
        default=timedelta(minutes=1), ge=timedelta(seconds=1), le=LONGEST_WAIT
    )
    initial_delay: Duration = Field(default=timedelta(0), ge=timedelta(0), le=LONGEST_WAIT)
    failure_limit: int = Field(default=0, ge=0, strict=True)
    consecutive: int | None = Field(default=None, ge=1, strict=True)
    on_no_data: Literal["deny", "allow"] = "deny"
    timeout: Duration = Field(
        default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=10)
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.failure_limit >= self.samples:
            raise ValueError(
                f"failure_limit is {self.failure_limit} of {self.samples} samples, so that nothing "
                "would ever be denied; lower it, or take more samples"
            )
        if self.consecutive is not None and self.consecutive > self.samples:
            raise ValueError(
                f"consecutive is {self.consecutive} of {self.samples} samples; lower it"
            )
        return self


class Sample(Value):
    """One look at the figure.

    Attributes:
        values: as answered, the first few of a vector.
        series: how many there were.
    """

    at: Timestamp
    found: Found
    values: tuple[str, ...] = ()
    series: int = 0


class _Memory(Value):
    samples: tuple[Sample, ...] = ()


class MetricGate:
    """Takes samples of a figure, and allows when few enough of them fail."""

    config: ClassVar[type[Document]] = MetricConfig
    type: ClassVar[str] = "metric"
    holds_for_rollbacks: ClassVar[bool] = False

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until the next sample is due.

        Raises:
            GateError: a sample cannot be taken.
        """
        config = applied(context.gate, MetricConfig)
        samples = _Memory.model_validate(context.memory).samples
        due = context.opened_at + config.initial_delay
        if samples:
            due = samples[-1].at + config.interval
        if context.now < due:
            return _waiting(config, samples, due)
        query = filled(config.query, context.promotion)
        values = await instant(
            config.url, query, config.headers, config.timeout, services.secret, services.heartbeat
        )
        samples = (*samples, _sample(config, values, context.now))
        return decide(config, samples) or _waiting(config, samples, context.now + config.interval)


def decide(config: MetricConfig, samples: Sequence[Sample]) -> Allow | Deny | None:
    """What the samples so far come to; None when more are needed."""
    good = [_is_good(config, sample) for sample in samples]
    failed = good.count(False)
    told = f"{len(samples)} of {config.samples} samples taken, {failed} failed"
    attributes, evidence = _figures(config, samples)
    if failed > config.failure_limit:
        reason = f"{_last(config, samples)}; {told}, where {config.failure_limit} may"
        return Deny(reason=reason, attributes=attributes, evidence=evidence)
    row = config.consecutive
    if row is not None and len(good) >= row and all(good[-row:]):
        reason = f"the last {row} samples passed; {told}"
        return Allow(reason=reason, attributes=attributes, evidence=evidence)
    if len(samples) < config.samples:
        return None
    if row is not None:
        reason = f"no {row} samples in a row passed; {told}"
        return Deny(reason=reason, attributes=attributes, evidence=evidence)
    return Allow(reason=told, attributes=attributes, evidence=evidence)


def _sample(config: MetricConfig, values: Sequence[str], at: datetime) -> Sample:
    try:
        numbers = [_number(value) for value in values]
    except ValueError as error:
        raise GateError(f"a sample holds what is no number: {error}") from error
    holds = _COMPARE[config.operator]
    if not numbers or any(math.isnan(number) for number in numbers):
        found = Found.NO_DATA
    elif all(holds(number, config.threshold) for number in numbers):
        found = Found.PASSED
    else:
        found = Found.FAILED
    bad = [
        value
        for value, number in zip(values, numbers, strict=True)
        if not holds(number, config.threshold)
    ]
    # Those that do not hold come first: they are what somebody will look for.
    kept = [*bad, *(value for value in values if value not in bad)][:_VALUES_KEPT]
    return Sample(at=at, found=found, values=tuple(kept), series=len(values))


def _number(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"{len(text)} characters")
    return float(text)


def _is_good(config: MetricConfig, sample: Sample) -> bool:
    if sample.found is Found.NO_DATA:
        return config.on_no_data == "allow"
    return sample.found is Found.PASSED


def _last(config: MetricConfig, samples: Sequence[Sample]) -> str:
    bad = [sample for sample in samples if not _is_good(config, sample)][-1]
    if bad.found is Found.NO_DATA:
        return "the query gave no number"
    return f"the query gave {bad.values[0]}, which is not {config.operator} {config.threshold:g}"


def _waiting(config: MetricConfig, samples: tuple[Sample, ...], due: datetime) -> Defer:
    attributes, evidence = _figures(config, samples)
    failed = attributes["metric.failed"]
    return Defer(
        reason=(
            f"{len(samples)} of {config.samples} samples taken, {failed} failed; "
            f"the next at {due:%Y-%m-%d %H:%M:%S} UTC"
        ),
        until=due,
        memory=_Memory(samples=samples).model_dump(mode="json"),
        attributes=attributes,
        evidence=evidence,
    )


def _figures(
    config: MetricConfig, samples: Sequence[Sample]
) -> tuple[dict[str, AttributeValue], dict[str, Json]]:
    attributes: dict[str, AttributeValue] = {
        "metric.samples": len(samples),
        "metric.failed": sum(not _is_good(config, sample) for sample in samples),
        "metric.threshold": f"{config.operator} {config.threshold:g}",
    }
    last = samples[-1].values[0] if samples and samples[-1].values else ""
    if last and math.isfinite(float(last)):
        attributes["metric.value"] = float(last)
    evidence: dict[str, Json] = {
        "samples": [sample.model_dump(mode="json") for sample in samples],
    }
    return attributes, evidence
