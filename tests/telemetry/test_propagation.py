from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from engine.telemetry.propagation import (
    HEADER,
    TraceContext,
    attach_from_environment,
    from_carrier,
    from_headers,
    from_otel,
    to_carrier,
    to_otel,
    with_header,
)
from tests.telemetry.samples import BAGGAGE, CONTEXT, TRACEPARENT, contexts

TRACE, SPAN = CONTEXT.trace_id, CONTEXT.span_id


def parsed(**carrier: str) -> TraceContext | None:
    return from_carrier(carrier)


def payload(value: object) -> Payload:
    return PayloadConverter.default.to_payload(value)


def json_payload(text: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=text)


@given(contexts)
def test_a_context_comes_through_w3c_headers(context: TraceContext) -> None:
    carrier = to_carrier(context)
    assert from_carrier(carrier) == context
    flags = "01" if context.sampled else "00"
    assert carrier["traceparent"] == f"00-{context.trace_id}-{context.span_id}-{flags}"
    assert carrier.get("tracestate", "") == context.trace_state
    assert ("baggage" in carrier) is bool(context.baggage)


@given(contexts)
def test_a_context_comes_through_a_temporal_header(context: TraceContext) -> None:
    others = {"codec-key-id": payload("k1"), HEADER: payload({"traceparent": "replaced"})}
    headers = with_header(others, context)
    assert headers.keys() == {"codec-key-id", HEADER}
    assert headers["codec-key-id"] == others["codec-key-id"]
    over_the_wire = {
        key: Payload.FromString(value.SerializeToString()) for key, value in headers.items()
    }
    assert from_headers(over_the_wire) == context
    assert json.loads(headers[HEADER].data) == to_carrier(context)


@given(contexts)
def test_a_context_comes_through_opentelemetrys_own(context: TraceContext) -> None:
    assert from_otel(to_otel(context)) == context
    current = otel_trace.get_current_span(to_otel(context)).get_span_context()
    assert current.is_remote


# Those of https://github.com/w3c/trace-context/tree/main/test and more of their kinds.
INVALID = {
    "empty": "",
    "no hyphen": f"00{TRACE}{SPAN}01",
    "version ff": f"ff-{TRACE}-{SPAN}-01",
    "version of one digit": f"0-{TRACE}-{SPAN}-01",
    "version of three digits": f"000-{TRACE}-{SPAN}-01",
    "version no hexadecimal": f".0-{TRACE}-{SPAN}-01",
    "version upper case": f"CC-{TRACE}-{SPAN}-01",
    "no version": f"{TRACE}-{SPAN}-01",
    "trace id all zero": f"00-{'0' * 32}-{SPAN}-01",
    "trace id too short": f"00-{TRACE[:-1]}-{SPAN}-01",
    "trace id too long": f"00-{TRACE}a-{SPAN}-01",
    "trace id upper case": f"00-{TRACE.upper()}-{SPAN}-01",
    "trace id no hexadecimal": f"00-.{TRACE[1:]}-{SPAN}-01",
    "trace id missing": f"00-{SPAN}-01",
    "trace id empty": f"00--{SPAN}-01",
    "span id all zero": f"00-{TRACE}-{'0' * 16}-01",
    "span id too short": f"00-{TRACE}-{SPAN[:-1]}-01",
    "span id too long": f"00-{TRACE}-{SPAN}a-01",
    "span id upper case": f"00-{TRACE}-{SPAN.upper()}-01",
    "span id no hexadecimal": f"00-{TRACE}-{SPAN[:-1]}.-01",
    "span id missing": f"00-{TRACE}-01",
    "flags missing": f"00-{TRACE}-{SPAN}",
    "flags empty": f"00-{TRACE}-{SPAN}-",
    "flags of one digit": f"00-{TRACE}-{SPAN}-1",
    "flags of three digits": f"00-{TRACE}-{SPAN}-001",
    "flags no hexadecimal": f"00-{TRACE}-{SPAN}-.0",
    "flags upper case": f"00-{TRACE}-{SPAN}-0A",
    "version 00 with an extra field": f"{TRACEPARENT}-what-the-future-will-be-like",
    "version 00 with a hyphen at the end": f"{TRACEPARENT}-",
    "version cc with an extra field but no hyphen": f"cc-{TRACE}-{SPAN}-01.what",
    "two in one": f"{TRACEPARENT},{TRACEPARENT}",
    "underscores": TRACEPARENT.replace("-", "_"),
    "inner blanks": TRACEPARENT.replace("-", " - "),
    "non-ASCII digits": TRACEPARENT.replace("4", "\u0664"),
    "full-width digits": TRACEPARENT.replace("0", "\uff10"),
    "non-ASCII hyphens": TRACEPARENT.replace("-", "\u2010"),
    "null byte": f"{TRACEPARENT}\x00",
    "surrogate": f"{TRACEPARENT}\ud800",
    "giant": "0" * 1_000_000,
    "giant of a later version": f"cc-{TRACE}-{SPAN}-01-{'x' * 1_000_000}",
}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_traceparent_is_none(kind: str) -> None:
    carrier = {"traceparent": INVALID[kind], "tracestate": "a=1", "baggage": "b=2"}
    assert from_carrier(carrier) is None
    assert from_headers({HEADER: json_payload(json.dumps(carrier).encode())}) is None


@given(st.dictionaries(st.sampled_from(["traceparent", "tracestate", "baggage", "x"]), st.text()))
def test_no_text_in_the_headers_raises(carrier: dict[str, str]) -> None:
    found = from_carrier(carrier)
    assert found is None or to_carrier(found)["traceparent"] == carrier["traceparent"].strip(
        " \t\n"
    )


@given(st.text(max_size=20), st.text(max_size=80))
@example("a=1", "b=2;p;q=r")
@example("=", "=")
@example("a=\ud800", "b=\ud800")
@example("", "%20=1,%00=%00,a=%20,b=%ED%A0%80")
def test_nothing_beside_a_valid_traceparent_makes_it_invalid(state: str, baggage: str) -> None:
    found = parsed(traceparent=TRACEPARENT, tracestate=state, baggage=baggage)
    assert found is not None
    assert (found.trace_id, found.span_id, found.sampled) == (TRACE, SPAN, True)
    assert parsed(**to_carrier(found)) == found


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f" \t{TRACEPARENT}\t ", True),
    ],
)
def test_valid_kinds_of_traceparent_are_read(text: str, sampled: bool) -> None:
    found = parsed(traceparent=text)
    assert found == TraceContext(trace_id=TRACE, span_id=SPAN, sampled=sampled)


@pytest.mark.parametrize(
    "state",
    [
        "vendor=opaque",
        "z=1,a=2,m=3",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "fw529a3039@dt=FfffffffFf-D,1a-2f@foo=bar1",
        "foo-_*/bar=bar4,0@v=x",
        "a= inner  blanks ok,b=~!#$%&'()*+-./:;<>?@[]^_`{|}",
        ",".join(f"k{number}={number}" for number in range(32)),
        "k" + "x" * 255 + "=" + "v" * 256,
    ],
)
def test_a_valid_tracestate_is_kept_letter_for_letter(state: str) -> None:
    found = parsed(traceparent=TRACEPARENT, tracestate=state)
    assert found is not None
    assert found.trace_state == state
    assert to_carrier(found)["tracestate"] == state
    assert from_headers(with_header({}, found)) == found


@pytest.mark.parametrize(
    ("state", "kept"),
    [("a=1 ,\tb=2", "a=1,b=2"), ("a=1,,b=2,", "a=1,b=2"), ("  a=1  ", "a=1"), ("", "")],
)
def test_blanks_and_empty_members_of_a_tracestate_may_go(state: str, kept: str) -> None:
    found = parsed(traceparent=TRACEPARENT, tracestate=state)
    assert found is not None
    assert found.trace_state == kept


@pytest.mark.parametrize(
    "state",
    [
        "foo",
        "foo=",
        "=1",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "foo@=1",
        "@foo=1",
        "foo@@bar=1",
        "foo=bar=baz",
        "foo=1,foo=2",
        "foo=1;bar=2",
        "k" + "x" * 256 + "=1",
        "a=" + "v" * 257,
        "a=\u00e9",
        "a=1\nb=2",
        ",".join(f"k{number}={number}" for number in range(33)),
        ",".join(f"k{number}={'v' * 256}" for number in range(32)) + "," * 500,
        "x" * 1_000_000,
    ],
)
def test_a_bad_tracestate_does_not_cost_the_traceparent(state: str) -> None:
    found = parsed(traceparent=TRACEPARENT, tracestate=state, baggage="a=1")
    assert found == TraceContext(
        trace_id=TRACE, span_id=SPAN, sampled=True, trace_state="", baggage={"a": "1"}
    )


def test_baggage_is_read_with_its_escapes() -> None:
    found = parsed(traceparent=TRACEPARENT, baggage="a=1 , user.id=J%C3%BCrgen%20M ,empty=,x=a=b")
    assert found is not None
    assert found.baggage == {"a": "1", "user.id": "Jürgen M", "empty": "", "x": "a=b"}


@pytest.mark.parametrize(
    ("baggage", "kept"),
    [
        (",".join(f"k{number}=v" for number in range(180)), 180),
        (",".join(f"k{number}=v" for number in range(181)), 180),
        (f"big={'v' * 4092},small=1", 2),
        (f"big={'v' * 4093},small=1", 1),
        (",".join(f"k{number}={'v' * 1000}" for number in range(8)), 8),
        (",".join(f"k{number}={'v' * 1000}" for number in range(9)), 0),
        ("no-pair,a=1", 1),
        ("a b=1,c=2", 1),
        ("\u00e9=1,c=2", 1),
        ("x" * 1_000_000, 0),
    ],
)
def test_baggage_beyond_the_limits_goes_and_the_rest_stays(baggage: str, kept: int) -> None:
    found = parsed(traceparent=TRACEPARENT, baggage=baggage)
    assert found is not None
    assert (found.trace_id, len(found.baggage)) == (TRACE, kept)


def test_baggage_that_we_hand_on_keeps_within_the_limits() -> None:
    context = CONTEXT.model_copy(
        update={"baggage": {f"k{number}": "ü" * 100 for number in range(500)}}
    )
    carrier = to_carrier(context)
    assert len(carrier["baggage"]) <= 8192
    found = from_carrier(carrier)
    assert found is not None
    assert found.baggage.items() <= context.baggage.items()
    assert len(found.baggage) >= 8192 // 700


def test_baggage_without_a_trace_is_no_context() -> None:
    assert parsed(baggage="a=1") is None


FOREIGN = {
    "null": payload(None),
    "bytes": payload(b"traceparent"),
    "protobuf": payload(StringValue(value=TRACEPARENT)),
    "binary protobuf": Payload(
        metadata={"encoding": b"binary/protobuf", "messageType": b"google.protobuf.StringValue"},
        data=StringValue(value=TRACEPARENT).SerializeToString(),
    ),
    "unknown protobuf": Payload(
        metadata={"encoding": b"json/protobuf", "messageType": b"not.known"}, data=b"{}"
    ),
    "text": payload(TRACEPARENT),
    "number": payload(7),
    "list": payload([TRACEPARENT]),
    "list of pairs": payload([["traceparent", TRACEPARENT]]),
    "empty object": payload({}),
    "object of other keys": payload({"trace": TRACEPARENT}),
    "traceparent a number": payload({"traceparent": 1}),
    "traceparent null": payload({"traceparent": None}),
    "traceparent a list": payload({"traceparent": [TRACEPARENT]}),
    "broken JSON": json_payload(b'{"traceparent": "'),
    "no UTF-8": json_payload(b'{"traceparent": "\xff\xfe"}'),
    "nothing": json_payload(b""),
    "deep JSON": json_payload(b"[" * 100_000),
    "giant number": json_payload(b"1" * 10_000),
    "encrypted": Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\x01"),
    "no encoding": Payload(data=b"{}"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_header_is_none(kind: str) -> None:
    assert from_headers({HEADER: FOREIGN[kind]}) is None


@given(st.binary(), st.sampled_from([b"json/plain", b"binary/plain", b"json/protobuf", b"x"]))
def test_no_bytes_in_the_header_raise(data: bytes, encoding: bytes) -> None:
    assert from_headers({HEADER: Payload(metadata={"encoding": encoding}, data=data)}) is None


def test_what_is_not_text_in_the_header_is_left_out() -> None:
    carrier = {
        "TraceParent": TRACEPARENT, "tracestate": 7, "baggage": None, "x-other": "y", "b3": "z",
    }  # fmt: skip
    assert from_headers({HEADER: payload(carrier)}) == TraceContext(
        trace_id=TRACE, span_id=SPAN, sampled=True
    )


def test_no_header_is_none() -> None:
    assert from_headers({}) is None
    assert from_headers({"other": payload({"traceparent": TRACEPARENT})}) is None


ENVIRON = {"TRACEPARENT": TRACEPARENT, "TRACESTATE": "vendor=opaque", "BAGGAGE": BAGGAGE}


def current() -> TraceContext | None:
    return from_otel(otel_context.get_current())


@pytest.fixture
def _outside() -> Iterator[None]:
    assert current() is None
    yield
    assert current() is None


@pytest.mark.usefixtures("_outside")
class TestAttachingFromTheEnvironment:
    def test_the_context_is_current_within_the_block(self) -> None:
        with attach_from_environment(ENVIRON):
            assert current() == CONTEXT
        assert current() is None

    def test_the_process_environment_is_read_when_none_is_given(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in ENVIRON.items():
            monkeypatch.setenv(name, value)
        with attach_from_environment():
            assert current() == CONTEXT

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"TRACESTATE": "vendor=opaque", "BAGGAGE": BAGGAGE},
            {"TRACEPARENT": ""},
            {"TRACEPARENT": "junk"},
            {"traceparent": TRACEPARENT},
        ],
    )
    def test_without_a_valid_traceparent_nothing_is_attached(self, environ: dict[str, str]) -> None:
        before = otel_context.get_current()
        with attach_from_environment(environ):
            assert otel_context.get_current() == before

    def test_a_span_that_is_current_already_stays(self) -> None:
        tracer = TracerProvider().get_tracer("caller")
        with tracer.start_as_current_span("caller") as span:
            with attach_from_environment(ENVIRON):
                assert otel_trace.get_current_span() is span
            assert otel_trace.get_current_span() is span

    def test_the_context_is_restored_after_an_exception(self) -> None:
        with pytest.raises(KeyError), attach_from_environment(ENVIRON):
            raise KeyError("of the block")
        assert current() is None

    def test_a_block_within_a_block_keeps_the_outer_one(self) -> None:
        inner = {"TRACEPARENT": f"00-{'cd' * 16}-{'ef' * 8}-01"}
        with attach_from_environment(ENVIRON):
            with attach_from_environment(inner):
                assert current() == CONTEXT
            assert current() == CONTEXT
