"""The standard variables, and the way of a metric over the wire."""

from __future__ import annotations

import time

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider

from engine.errors import InputError
from engine.metrics.provider import LONGEST_SHUTDOWN, destination, provider_to, shut_down
from engine.telemetry.resource import resource
from tests.harness.metrics_receiver import (
    MetricsReceiver,
    grpc_metrics_receiver,
    http_metrics_receiver,
)
from tests.telemetry.collectors import refusing_endpoint, silent_endpoint

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
METRICS_ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
METRICS_PROTOCOL = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
ANY = {ENDPOINT: "http://127.0.0.1:4317"}


def configure(variables: pytest.MonkeyPatch, **environ: str) -> None:
    for name, value in environ.items():
        variables.setenv(name, value)


def made() -> MeterProvider:
    where = destination()
    assert where is not None
    return provider_to(where)


def count_one() -> None:
    provider = made()
    meter = provider.get_meter("test")
    meter.create_counter("counted", "{thing}").add(3, {"color": "red"})
    meter.create_histogram("took", "s").record(0.5)
    meter.create_observable_counter("absolute", [lambda _: [Observation(7)]])
    shut_down(provider)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4317"},
        {**ANY, "OTEL_SDK_DISABLED": "true"},
        {**ANY, "OTEL_METRICS_EXPORTER": "none"},
        {METRICS_ENDPOINT: "http://127.0.0.1:4317", "OTEL_METRICS_EXPORTER": "None"},
    ],
)
def test_nothing_is_exported_when(
    otel_variables: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    configure(otel_variables, **environ)
    assert destination() is None


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_metrics_arrive_with_headers_and_the_resource_of_the_traces(
    otel_variables: pytest.MonkeyPatch, protocol: str
) -> None:
    with grpc_metrics_receiver() if protocol == "grpc" else http_metrics_receiver() as receiver:
        configure(
            otel_variables,
            **{ENDPOINT: receiver.endpoint, PROTOCOL: protocol},
            OTEL_EXPORTER_OTLP_HEADERS="x-team=platform",
            OTEL_RESOURCE_ATTRIBUTES="service.namespace=elsewhere",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        )
        count_one()
        expected = {key: str(value) for key, value in resource().attributes.items()}
    assert receiver.value("counted", color="red") == 3
    assert receiver.count("took") == 1
    assert receiver.units()["counted"] == ("sum", "{thing}")
    assert receiver.metadata[0]["x-team"] == "platform"
    assert receiver.resources[0] == expected
    assert expected["service.namespace"] == "elsewhere"


def test_the_settings_of_metrics_win(otel_variables: pytest.MonkeyPatch) -> None:
    with grpc_metrics_receiver() as loses, http_metrics_receiver() as wins:
        configure(
            otel_variables,
            **{ENDPOINT: loses.endpoint, PROTOCOL: "grpc"},
            **{METRICS_ENDPOINT: f"{wins.endpoint}/v1/metrics", METRICS_PROTOCOL: "http/protobuf"},
        )
        count_one()
    assert (loses.exports, wins.exports) == (0, 1)


def test_the_interval_is_the_standard_one_unless_it_is_set(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    configure(otel_variables, **ANY)
    where = destination()
    assert where is not None
    assert where.every.total_seconds() == 60
    configure(otel_variables, OTEL_METRIC_EXPORT_INTERVAL="250")
    where = destination()
    assert where is not None
    assert where.every.total_seconds() == 0.25


def test_absolute_counts_are_told_as_such_also_to_who_wants_differences(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    with grpc_metrics_receiver() as receiver:
        configure(
            otel_variables,
            **{ENDPOINT: receiver.endpoint},
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        )
        count_one()
    (absolute,) = receiver.of("absolute")
    (counted,) = receiver.of("counted")
    assert (absolute.value, absolute.delta) == (7, False)
    assert counted.delta


def test_more_points_than_a_request_may_hold_come_in_several(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    def many(options: CallbackOptions) -> list[Observation]:
        return [Observation(number, {"number": str(number)}) for number in range(1900)]

    with grpc_metrics_receiver() as receiver:
        configure(otel_variables, **{ENDPOINT: receiver.endpoint})
        provider = made()
        for name in ("a", "b", "c"):
            provider.get_meter("test").create_observable_gauge(name, [many])
        shut_down(provider)
    assert receiver.exports == 2
    assert sum(len(receiver.series(name)) for name in ("a", "b", "c")) == 5700


@pytest.mark.parametrize(
    ("field", "value", "environ"),
    [
        (PROTOCOL, "thrift", {}),
        (METRICS_PROTOCOL, "http/json", {PROTOCOL: "grpc"}),
        ("OTEL_METRIC_EXPORT_INTERVAL", "often", {}),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", {}),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "-1", {}),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "ten", {}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "inf", {PROTOCOL: "http/protobuf"}),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    otel_variables: pytest.MonkeyPatch, field: str, value: str, environ: dict[str, str]
) -> None:
    configure(otel_variables, **{**ANY, **environ, field: value})
    with pytest.raises(InputError) as caught:
        made()
    assert caught.value.field == field
    assert value in caught.value.problem


def test_what_the_exporter_itself_refuses_is_our_error(otel_variables: pytest.MonkeyPatch) -> None:
    configure(otel_variables, **ANY, OTEL_EXPORTER_OTLP_COMPRESSION="brotli")
    with pytest.raises(InputError, match="brotli"):
        made()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("endpoint", [refusing_endpoint, silent_endpoint])
def test_the_end_is_bounded_whatever_the_collector_does(
    otel_variables: pytest.MonkeyPatch, endpoint: object, protocol: str
) -> None:
    assert callable(endpoint)
    with endpoint() as address:
        configure(
            otel_variables,
            **{ENDPOINT: address, PROTOCOL: protocol},
            OTEL_METRIC_EXPORT_INTERVAL="50",
            OTEL_EXPORTER_OTLP_TIMEOUT="600",
        )
        provider = made()
        provider.get_meter("test").create_counter("counted").add(1)
        time.sleep(0.3)
        before = time.monotonic()
        shut_down(provider)
        assert time.monotonic() - before < 2 * LONGEST_SHUTDOWN.total_seconds()


def test_a_collector_that_takes_and_never_answers_does_not_hold_the_end(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    receiver: MetricsReceiver
    with grpc_metrics_receiver(answers=False) as receiver:
        configure(otel_variables, **{ENDPOINT: receiver.endpoint}, OTEL_EXPORTER_OTLP_TIMEOUT="600")
        before = time.monotonic()
        count_one()
        assert time.monotonic() - before < 2 * LONGEST_SHUTDOWN.total_seconds()
    assert receiver.exports == 1
