"""The way of a metric: worker, collector, Prometheus, Grafana."""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml import YAML

from tests.compose.composefile import ROOT, load, services

DEPLOY = ROOT / "deploy"


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(DEPLOY / name)
    return loaded


def mounted(service: str) -> dict[str, str]:
    """Where the files and volumes of a service are in its container."""
    return dict(one.split(":")[:2] for one in services()[service]["volumes"])


def test_the_collector_hands_metrics_to_prometheus_as_it_hands_traces_on() -> None:
    pipelines = read("otel-collector.yaml")["service"]["pipelines"]
    assert pipelines["metrics"]["exporters"] == ["prometheus"]
    for part in ("receivers", "processors"):
        assert pipelines["metrics"][part] == pipelines["traces"][part]


def test_each_asks_where_the_other_one_listens() -> None:
    port = read("otel-collector.yaml")["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
    (scraped,) = read("prometheus.yaml")["scrape_configs"]
    (static,) = scraped["static_configs"]
    assert static["targets"] == [f"otel-collector:{port}"]
    # Else every worker's series would be the collector's, and overwrite each other.
    assert scraped["honor_labels"] is True
    (source,) = read("grafana/datasources.yaml")["datasources"]
    (published,) = services()["prometheus"]["ports"]
    assert source["url"] == f"http://prometheus:{published.rpartition(':')[2]}"
    # Nobody outside needs the port of the collector.
    assert not [one for one in services()["otel-collector"]["ports"] if port in one]


def test_rates_are_taken_over_the_interval_at_which_is_asked() -> None:
    (source,) = read("grafana/datasources.yaml")["datasources"]
    interval = read("prometheus.yaml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval


def test_prometheus_is_started_with_its_file_and_keeps_its_series_on_its_volume() -> None:
    command, files = services()["prometheus"]["command"], mounted("prometheus")
    assert f"--config.file={files['./deploy/prometheus.yaml']}" in command
    assert f"--storage.tsdb.path={files['metrics']}" in command


def test_grafana_finds_its_data_source_and_the_dashboard_where_they_are_mounted() -> None:
    files = mounted("grafana")
    for kind in ("datasources", "dashboards"):
        place = files[f"./deploy/grafana/{kind}.yaml"]
        # https://grafana.com/docs/grafana/latest/administration/provisioning/
        assert place.startswith(f"/etc/grafana/provisioning/{kind}/")
    (provider,) = read("grafana/dashboards.yaml")["providers"]
    dashboard = files["./deploy/grafana/promotion-engine.json"]
    assert dashboard.startswith(provider["options"]["path"] + "/")
    (source,) = read("grafana/datasources.yaml")["datasources"]
    shown = json.loads((DEPLOY / "grafana" / "promotion-engine.json").read_text())
    (variable,) = [one for one in shown["templating"]["list"] if one["type"] == "datasource"]
    assert variable["query"] == source["type"]
    assert source["isDefault"] is True
    assert files["grafana"] == "/var/lib/grafana"
    assert {"metrics", "grafana"} <= set(load()["volumes"])
