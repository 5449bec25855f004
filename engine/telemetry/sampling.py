"""The head decision: is this promotion's trace sampled?

`parentbased_traceidratio` by default, with the environment's rate; OTEL_TRACES_SAMPLER and
OTEL_TRACES_SAMPLER_ARG win over it
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). The decision is
made once, at the start, and recorded in the promotion's history, so that every process keeps to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from engine.errors import InputError
from engine.telemetry.propagation import TraceContext, to_otel

PRODUCTION_NAMES = ("production", "prod")
PRODUCTION_RATE = 0.1
DEFAULT_SAMPLER = "parentbased_traceidratio"
SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)


def default_rate(environment: str) -> float:
    """The specification's rate for an environment that names none: 10 % in production, else all."""
    return PRODUCTION_RATE if environment in PRODUCTION_NAMES else 1.0


def sampler(rate: float | None, environ: Mapping[str, str] | None = None) -> Sampler:
    """The sampler in force.

    Args:
        rate: the environment's own rate, 0 to 1; None means 1.

    Raises:
        InputError: OTEL_TRACES_SAMPLER or OTEL_TRACES_SAMPLER_ARG cannot be used.
    """
    source = os.environ if environ is None else environ
    name = source.get("OTEL_TRACES_SAMPLER", "").strip().lower() or DEFAULT_SAMPLER
    if name not in SAMPLERS:
        raise InputError(
            "OTEL_TRACES_SAMPLER",
            f"no sampler called {name!r}",
            f"use one of {', '.join(SAMPLERS)}",
        )
    kind = name.removeprefix("parentbased_")
    if kind == "always_on":
        root: Sampler = ALWAYS_ON
    elif kind == "always_off":
        root = ALWAYS_OFF
    else:
        root = TraceIdRatioBased(_ratio(source, 1.0 if rate is None else rate))
    return ParentBased(root) if name.startswith("parentbased_") else root


def is_sampled(
    trace_id: str,
    parent: TraceContext | None,
    rate: float | None,
    environ: Mapping[str, str] | None = None,
) -> bool:
    """Decide for a promotion's trace, by its id and the caller's own decision if it made one."""
    context = Context() if parent is None else to_otel(parent)
    result = sampler(rate, environ).should_sample(context, int(trace_id, 16), "promotion.request")
    return result.decision is Decision.RECORD_AND_SAMPLE


def _ratio(source: Mapping[str, str], default: float) -> float:
    text = source.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not text:
        return default
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise InputError("OTEL_TRACES_SAMPLER_ARG", f"{text!r} is no ratio", "give 0 to 1")
    return ratio
