from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.telemetry.export import schedule_delay, sink_from_environment
from tests.harness.receiver import Receiver, grpc_receiver, http_receiver
from tests.telemetry.collectors import refusing_endpoint
from tests.telemetry.samples import numbered

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
ANY = {ENDPOINT: "http://127.0.0.1:4317"}


def configure(variables: pytest.MonkeyPatch, **environ: str) -> None:
    for name, value in environ.items():
        variables.setenv(name, value)


def send_one() -> None:
    sink = sink_from_environment()
    assert sink is not None
    sink.emit(numbered(1)[0])
    sink.shutdown()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: " ", TRACES_ENDPOINT: ""},
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:4317"},
        {**ANY, "OTEL_SDK_DISABLED": "true"},
        {**ANY, "OTEL_SDK_DISABLED": " TRUE "},
        {**ANY, "OTEL_TRACES_EXPORTER": "none"},
        {TRACES_ENDPOINT: "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER": "None"},
        {**ANY, "OTEL_SDK_DISABLED": "true", PROTOCOL: "thrift"},
    ],
)
def test_nothing_is_exported_when(
    otel_variables: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    configure(otel_variables, **environ)
    assert sink_from_environment() is None


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_SDK_DISABLED": "false"},
        {"OTEL_SDK_DISABLED": ""},
        {"OTEL_SDK_DISABLED": "1"},
        {"OTEL_TRACES_EXPORTER": "otlp"},
        {"OTEL_TRACES_EXPORTER": ""},
        {PROTOCOL: ""},
        {TRACES_PROTOCOL: "", PROTOCOL: "grpc"},
    ],
)
def test_spans_go_by_grpc_to_the_endpoint_when(
    otel_variables: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    with grpc_receiver() as receiver:
        configure(otel_variables, **environ, **{ENDPOINT: receiver.endpoint})
        send_one()
        assert len(receiver.spans) == 1


def test_the_endpoint_of_traces_wins(otel_variables: pytest.MonkeyPatch) -> None:
    with grpc_receiver() as loses, grpc_receiver() as wins:
        configure(otel_variables, **{ENDPOINT: loses.endpoint, TRACES_ENDPOINT: wins.endpoint})
        send_one()
        assert (len(loses.spans), len(wins.spans)) == (0, 1)


def test_the_protocol_of_traces_wins(otel_variables: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        configure(
            otel_variables,
            **{ENDPOINT: receiver.endpoint, PROTOCOL: "grpc", TRACES_PROTOCOL: "http/protobuf"},
        )
        send_one()
        assert len(receiver.spans) == 1


def test_over_http_the_endpoint_of_traces_is_taken_as_it_is(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    def reached(receiver: Receiver, path: str) -> int:
        configure(
            otel_variables,
            **{TRACES_ENDPOINT: f"{receiver.endpoint}{path}", PROTOCOL: "http/protobuf"},
        )
        send_one()
        return len(receiver.spans)

    # The receiver answers 404 to any path but this one.
    with http_receiver() as receiver:
        assert reached(receiver, "") == 0
        assert reached(receiver, "/v1/traces") == 1


@pytest.mark.parametrize("compression", ["gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_compressed_spans_arrive(
    otel_variables: pytest.MonkeyPatch, protocol: str, compression: str
) -> None:
    with grpc_receiver() if protocol == "grpc" else http_receiver() as receiver:
        configure(
            otel_variables,
            **{ENDPOINT: receiver.endpoint, PROTOCOL: protocol},
            OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        )
        send_one()
        assert len(receiver.spans) == 1


@pytest.mark.parametrize(
    ("field", "value", "environ"),
    [
        (PROTOCOL, "thrift", {}),
        (PROTOCOL, "http/json", {}),
        (PROTOCOL, "GRPC", {}),
        (TRACES_PROTOCOL, "http", {PROTOCOL: "grpc"}),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon", {}),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", {}),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5", {}),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", {}),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", {}),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", {}),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "101", {"OTEL_BSP_MAX_QUEUE_SIZE": "100"}),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100000", {}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten", {}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "", {}),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", {}),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "inf", {PROTOCOL: "http/protobuf"}),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1s", {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    otel_variables: pytest.MonkeyPatch, field: str, value: str, environ: dict[str, str]
) -> None:
    configure(otel_variables, **{**ANY, **environ, field: value})
    with pytest.raises(InputError) as caught:
        sink_from_environment()
    assert caught.value.field == field
    assert value in caught.value.problem


def test_what_the_exporter_itself_refuses_is_our_error(otel_variables: pytest.MonkeyPatch) -> None:
    configure(otel_variables, **ANY, OTEL_EXPORTER_OTLP_COMPRESSION="brotli")
    with pytest.raises(InputError, match=r"brotli.*OTEL_EXPORTER_OTLP_COMPRESSION"):
        sink_from_environment()


def test_a_small_queue_has_small_batches(otel_variables: pytest.MonkeyPatch) -> None:
    with grpc_receiver() as receiver:
        configure(otel_variables, **{ENDPOINT: receiver.endpoint}, OTEL_BSP_MAX_QUEUE_SIZE="100")
        sink = sink_from_environment()
        assert sink is not None
        for span in numbered(100):
            sink.emit(span)
        sink.shutdown()
        assert len(receiver.spans) == 100


def test_making_a_sink_does_not_need_the_collector(otel_variables: pytest.MonkeyPatch) -> None:
    with refusing_endpoint() as endpoint:
        configure(otel_variables, **{ENDPOINT: endpoint})
        sink = sink_from_environment()
        assert sink is not None
        sink.shutdown()


def test_the_delay_is_the_specifications_unless_it_is_set(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    assert schedule_delay().total_seconds() == 10
    configure(otel_variables, OTEL_BSP_SCHEDULE_DELAY=" 250 ")
    assert schedule_delay().total_seconds() == 0.25
