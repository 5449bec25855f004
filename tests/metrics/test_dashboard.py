"""deploy/grafana/promotion-engine.json against what the engine exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.metrics import names
from engine.metrics.names import METRICS, Kind
from tests.harness.metrics_receiver import grpc_metrics_receiver
from tests.harness.system import running_system, until, with_agents
from tests.metrics.prometheus import label, series

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "deploy" / "grafana" / "promotion-engine.json").read_text()
)
KINDS = {
    Kind.OBSERVABLE_COUNTER: "sum",
    Kind.OBSERVABLE_GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}
OURS = {metric.name: series(metric.name, KINDS[metric.kind], metric.unit) for metric in METRICS}
_WORDS = {
    "sum", "max", "min", "by", "rate", "increase", "histogram_quantile", "label_values", "le",
}  # fmt: skip


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def bare(expression: str) -> str:
    """An expression without its strings, ranges, selectors and groupings: names of series only."""
    expression = re.sub(r'"[^"]*"', "", expression)
    expression = re.sub(r"\[[^\]]*\]|\{[^}]*\}", "", expression)
    expression = re.sub(r"\bby \([^)]*\)", "", expression)
    return re.sub(r", \w+\)$", ")", expression) if "label_values" in expression else expression


def used() -> set[str]:
    """The names of all series on the dashboard."""
    words = {word for each in expressions() for word in re.findall(r"[a-z_][a-z0-9_]*", bare(each))}
    return words - _WORDS


def labels(expression: str) -> set[str]:
    """The labels that an expression selects or groups by."""
    selected = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expression)
    grouped = [
        name.strip()
        for names in re.findall(r"by \(([^)]*)\)", expression)
        for name in names.split(",")
    ]
    return {*selected, *grouped} - {"le"}


@pytest.mark.parametrize(
    ("name", "kind", "unit", "wanted"),
    [
        ("promotion.ended", "sum", "{promotion}", {"promotion_ended_total"}),
        ("dora.frequency", "gauge", "{deployment}/d", {"dora_frequency_per_day"}),
        ("dora.change.failure_rate", "gauge", "1", {"dora_change_failure_rate_ratio"}),
        ("dora.change.lead_time", "gauge", "s", {"dora_change_lead_time_seconds"}),
        ("temporal_request", "sum", "", {"temporal_request_total"}),
        ("a.queue.size", "level", "{span}", {"a_queue_size"}),
        ("a", "histogram", "s", {"a_seconds_bucket", "a_seconds_sum", "a_seconds_count"}),
    ],
)  # fmt: skip
def test_series_are_named_by_the_rules(name: str, kind: str, unit: str, wanted: set[str]) -> None:
    assert series(name, kind, unit) == wanted


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    assert [name for name, found in OURS.items() if not found & used()] == []


async def test_every_metric_of_the_dashboard_is_exported(
    tmp_path: Path, temporal_address: str, otel_variables: pytest.MonkeyPatch
) -> None:
    otel_variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    with grpc_metrics_receiver() as receiver:
        async with running_system(
            tmp_path, temporal_address, otel_variables, endpoint=receiver.endpoint
        ) as system:
            await system.apply("environments:\n" + system.environment_yaml("staging", targets=1))
            async with with_agents(system, "staging-t1"):
                await (await system.start(await system.release("1.0.0"), "staging")).result()

            def missing() -> set[str]:
                units = receiver.units().items()
                foreign = {one for name, (kind, unit) in units for one in series(name, kind, unit)}
                return used() - foreign - {one for found in OURS.values() for one in found}

            await until(lambda: not missing(), f"all are exported, but for {missing()}")
        # That there are others would be noticed.
        assert "temporal_request_latency_seconds_bucket" in used()
        for expression in expressions():
            (name, *_) = [
                word
                for word in re.findall(r"[a-z_][a-z0-9_]*", bare(expression))
                if word not in _WORDS
            ]
            known = {
                label(key)
                for metric, (kind, unit) in receiver.units().items()
                if name in series(metric, kind, unit)
                for attributes in receiver.series(metric)
                for key, _ in attributes
            }
            declared = {
                label(key)
                for metric in METRICS
                if name in OURS[metric.name]
                for key in metric.attributes
            }
            # What the exporter says about failures is there only once something has failed.
            assert labels(expression) <= known | declared | {"error_type"}, expression


def test_counts_of_the_database_are_joined_by_their_maximum() -> None:
    absolute = [names.PROMOTIONS, names.GATE_RESULTS, names.LOCK_QUEUE, names.SETTLEMENT_BACKLOG]
    absolute += [metric for metric in METRICS if metric.name.startswith("dora.")]
    found = 0
    for expression in expressions():
        for metric in absolute:
            (name,) = OURS[metric.name]
            if name not in expression or "label_values" in expression:
                continue
            found += 1
            grouped = re.search(rf"max(?: by \(([^)]*)\))? \((?:increase\()?{name}", expression)
            grouped = grouped or re.search(rf"max\({name}", expression)
            assert grouped is not None, expression
            keys = grouped.group(1).split(", ") if metric.attributes else []
            # Else the maximum would be taken over things that are to be added up.
            assert set(keys) == {label(key) for key in metric.attributes}
    assert found >= len(absolute)


def test_it_can_be_imported_beside_any_data_source() -> None:
    assert DASHBOARD["uid"]
    assert "id" not in DASHBOARD
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == (
        "datasource",
        "prometheus",
    )
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            continue
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_no_two_panels_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


def test_every_metric_is_documented_with_its_unit_and_attributes() -> None:
    rows = {
        cells[0].strip("` "): cells
        for line in (ROOT / "docs" / "metrics.md").read_text().splitlines()
        if len(cells := line.strip().strip("|").split("|")) == 5
    }
    for metric in METRICS:
        _, kind, unit, attributes, meaning = rows[metric.name]
        assert kind.strip() == metric.kind.value
        assert unit.strip("` ") == metric.unit
        assert set(re.findall(r"`([^`]+)`", attributes)) == set(metric.attributes)
        assert meaning.strip()
