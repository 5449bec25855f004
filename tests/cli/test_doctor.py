from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.processes import environment, promote
from tests.harness.receiver import grpc_receiver


@pytest.fixture
def env(tmp_path: Path, temporal_address: str) -> dict[str, str]:
    prepared = environment(tmp_path / "home", temporal_address)
    assert promote("db", "upgrade", env=prepared).returncode == 0
    return prepared


def test_everything_is_found_good_and_the_test_span_arrives(env: dict[str, str]) -> None:
    with grpc_receiver() as receiver:
        told = promote(
            "doctor", "--json", env={**env, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        )
    assert told.returncode == 0, told.stdout + told.stderr
    findings = {each["subject"]: each for each in json.loads(told.stdout)}
    assert all(each["good"] for each in findings.values())
    (span,) = receiver.spans
    assert span.name == "promote.doctor"
    assert span.trace_id in findings["test span"]["detail"]


def test_without_an_endpoint_no_span_is_sent_and_nothing_is_wrong(env: dict[str, str]) -> None:
    told = promote("doctor", env=env)
    assert told.returncode == 0, told.stdout
    assert "no OTLP endpoint is set" in told.stdout
    assert "not exported: no OTLP endpoint is set for them" in told.stdout


def test_where_metrics_go_is_told(env: dict[str, str]) -> None:
    where = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "15000",
    }
    told = promote("doctor", "--json", env={**env, **where})
    findings = {each["subject"]: each for each in json.loads(told.stdout)}
    expected = "to http://127.0.0.1:4318/v1/metrics by http/protobuf, every 15 s"
    assert findings["metrics"]["detail"] == expected
    wrong = promote("doctor", env={**env, **where, "OTEL_METRIC_EXPORT_INTERVAL": "0"})
    assert wrong.returncode == 1
    assert "OTEL_METRIC_EXPORT_INTERVAL" in wrong.stdout


def test_what_does_not_work_is_told_with_the_remedy(tmp_path: Path) -> None:
    env = environment(
        tmp_path,
        "127.0.0.1:1",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=canary-secret",
    )
    told = promote("doctor", env=env)
    assert told.returncode == 1
    failed = [line for line in told.stdout.splitlines() if line.startswith("FAIL")]
    assert [line.split()[1] for line in failed] == ["Temporal", "database", "test"]
    assert "promote db upgrade" in told.stdout
    assert "canary-secret" not in told.stdout + told.stderr
