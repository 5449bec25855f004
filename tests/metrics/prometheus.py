"""Names of metrics at Prometheus, by the rules of the collector's exporter.

Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ and
https://pkg.go.dev/github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheus
"""

from __future__ import annotations

import re

_UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "d": "days"}
_PER = {"s": "second", "d": "day", "h": "hour"}


def series(name: str, kind: str, unit: str) -> set[str]:
    """The names of the series of a metric; `kind` is that of `metrics_receiver.Point`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    main, _, per = unit.partition("/")
    if main not in ("", "1") and "{" not in main:
        suffix = _UNITS[main]
        if suffix not in words:
            words.append(suffix)
    if per:
        words += ["per", _PER[per]]
    if kind == "gauge" and unit == "1":
        words.append("ratio")
    if kind == "sum":
        words = [word for word in words if word != "total"] + ["total"]
    base = "_".join(words)
    return (
        {f"{base}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {base}
    )


def label(attribute: str) -> str:
    """The label of an attribute."""
    return re.sub(r"[^A-Za-z0-9_]", "_", attribute)
