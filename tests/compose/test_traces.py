"""The way of a span: worker, collector, Jaeger."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.compose.composefile import ROOT, services

FILES = ("otel-collector.yaml", "jaeger.yaml")


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "deploy" / name)
    return loaded


@pytest.mark.parametrize("name", FILES)
def test_everything_that_is_configured_is_used_and_the_other_way_round(name: str) -> None:
    config = read(name)
    used: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in config["service"]["pipelines"].values():
        for kind in used:
            used[kind] |= set(pipeline.get(kind, []))
    for kind, names in used.items():
        assert names == set(config.get(kind, {})), kind
    assert set(config["service"].get("extensions", [])) == set(config.get("extensions", {}))


def test_the_collector_batches_as_the_specification_says() -> None:
    config = read("otel-collector.yaml")
    assert config["processors"]["batch"] == {"timeout": "10s", "send_batch_size": 1024}
    # https://github.com/open-telemetry/opentelemetry-collector/tree/main/processor
    assert config["service"]["pipelines"]["traces"]["processors"] == [
        "memory_limiter", "resource", "batch",
    ]  # fmt: skip


def test_the_collector_fills_in_the_specification_s_resource_and_overrides_nobody() -> None:
    attributes = read("otel-collector.yaml")["processors"]["resource"]["attributes"]
    assert {one["key"]: one["value"] for one in attributes} == {
        "service.namespace": "stella-ops",
        "deployment.environment": "${env:ENVIRONMENT}",
    }
    assert {one["action"] for one in attributes} == {"insert"}
    assert "ENVIRONMENT" in services()["otel-collector"]["environment"]


def test_each_sends_where_the_next_one_listens() -> None:
    collector, jaeger = read("otel-collector.yaml"), read("jaeger.yaml")
    listening = "0.0.0.0:4317"
    assert services()["worker"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == (
        "http://otel-collector:4317"
    )
    assert collector["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == listening
    assert collector["exporters"]["otlp_grpc"]["endpoint"] == "jaeger:4317"
    assert jaeger["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == listening
    store = jaeger["exporters"]["jaeger_storage_exporter"]["trace_storage"]
    assert store in jaeger["extensions"]["jaeger_storage"]["backends"]
    assert jaeger["extensions"]["jaeger_query"]["storage"]["traces"] == store


def test_jaeger_keeps_its_traces_on_its_volume() -> None:
    (backend,) = read("jaeger.yaml")["extensions"]["jaeger_storage"]["backends"].values()
    volumes = dict(one.split(":")[:2] for one in services()["jaeger"]["volumes"])
    assert backend["badger"]["ephemeral"] is False
    for directory in backend["badger"]["directories"].values():
        assert directory.startswith(volumes["traces"] + "/")
    (port,) = services()["jaeger"]["ports"]
    assert read("jaeger.yaml")["extensions"]["jaeger_query"]["http"]["endpoint"].endswith(
        port.rpartition(":")[2]
    )


@pytest.mark.parametrize(("service", "name"), [("otel-collector", FILES[0]), ("jaeger", FILES[1])])
def test_each_is_started_with_its_file(service: str, name: str) -> None:
    found = services()[service]
    assert f"./deploy/{name}:/etc/promote/{name}:ro" in found["volumes"]
    assert found["command"] == [f"--config=/etc/promote/{name}"]
