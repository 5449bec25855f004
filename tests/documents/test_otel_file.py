from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource

from engine.config import Settings
from engine.documents.otel_file import load_otel, otel_variables
from engine.errors import InputError
from engine.otel import opentelemetry_configured
from engine.telemetry.resource import resource

SPECIFIED = """\
service:
  name: stella-release-orchestrator
  version: ${VERSION}
exporters:
  otlp:
    endpoint: otel-collector:4317
    protocol: grpc
processors:
  batch:
    timeout: 10s
    send_batch_size: 1024
resource:
  attributes:
    - key: service.namespace
      value: stella-ops
    - key: deployment.environment
      value: ${ENVIRONMENT:-development}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "otel-config.yaml"
    path.write_text(SPECIFIED)
    return path


def test_the_specifications_sample_becomes_the_standard_variables(file: Path) -> None:
    environ = {"VERSION": "1.2.3"}
    assert otel_variables(load_otel(file, environ), environ) == {
        "OTEL_SERVICE_NAME": "stella-release-orchestrator",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_BSP_SCHEDULE_DELAY": "10000",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1024",
        "OTEL_RESOURCE_ATTRIBUTES": (
            "service.namespace=stella-ops,deployment.environment=development,service.version=1.2.3"
        ),
    }


def test_variables_win_over_the_file(file: Path) -> None:
    environ = {
        "VERSION": "1",
        "OTEL_SERVICE_NAME": "mine",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://elsewhere:4317",
        "OTEL_BSP_SCHEDULE_DELAY": "5",
    }
    added = otel_variables(load_otel(file, environ), environ)
    assert added.keys().isdisjoint(environ)


def test_mistakes_are_told_with_their_lines(file: Path) -> None:
    file.write_text(
        "service:\n  name: ${NOWHERE}\nexporters:\n  otlp: {endpoint: a:1, protocol: thrift}\n"
    )
    with pytest.raises(InputError, match=r"otel-config\.yaml:2:3: service\.name: .*NOWHERE"):
        load_otel(file, {})
    with pytest.raises(InputError, match=r"otel-config\.yaml:4:25: exporters\.otlp\.protocol"):
        load_otel(file, {"NOWHERE": "x"})


def test_a_process_has_the_settings_for_the_time_of_the_block(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "9")
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=mine")
    before = dict(os.environ)
    with opentelemetry_configured(Settings(otel_config=file)):
        attributes = resource().attributes
    assert dict(os.environ) == before
    assert attributes["service.name"] == "stella-release-orchestrator"
    assert attributes["service.version"] == "9"
    assert attributes["service.namespace"] == "mine"
    assert attributes["deployment.environment"] == "staging"
    assert attributes["deployment.environment.name"] == "staging"


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_attribute_value_comes_through(value: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        from engine.model.otel import OtelFile

        file = OtelFile.model_validate({"resource": {"attributes": [{"key": "k", "value": value}]}})
        patched.setenv(
            "OTEL_RESOURCE_ATTRIBUTES", otel_variables(file, {})["OTEL_RESOURCE_ATTRIBUTES"]
        )
        assert Resource.create({}).attributes["k"] == value


def test_the_projects_own_file_can_be_read() -> None:
    path = Path(__file__).parents[2] / "otel-config.yaml"
    assert load_otel(path, {}).exporters.otlp is None
