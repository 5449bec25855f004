from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from engine.telemetry import ids
from engine.telemetry.propagation import TraceContext, to_otel
from engine.telemetry.sampling import default_rate, is_sampled, sampler

TRACES = [ids.trace_id(uuid5(NAMESPACE_URL, f"sampling/{number}")) for number in range(4000)]
SAMPLED = TraceContext(trace_id="ab" * 16, span_id="cd" * 8, sampled=True)
UNSAMPLED = TraceContext(trace_id="ab" * 16, span_id="cd" * 8, sampled=False)
PARENTS = (None, SAMPLED, UNSAMPLED)
trace_ids = st.uuids().map(ids.trace_id)
rates = st.floats(0, 1)


def theirs(name: str, ratio: float) -> Sampler:
    """The SDK's own sampler of a standard name."""
    found: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(ratio),
    }
    found.update({f"parentbased_{kind}": ParentBased(root) for kind, root in found.items()})
    return found[name]


NAMES = (
    "always_on", "always_off", "traceidratio",
    "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@given(trace_id=trace_ids, ratio=rates, parent=st.sampled_from(PARENTS))
def test_every_sampler_decides_as_the_sdks_own(
    name: str, trace_id: str, ratio: float, parent: TraceContext | None
) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": repr(ratio)}
    context = Context() if parent is None else to_otel(parent)
    expected = theirs(name, ratio).should_sample(context, int(trace_id, 16), "promotion.request")
    decided = is_sampled(trace_id, parent, None, environ)
    assert decided is (expected.decision is Decision.RECORD_AND_SAMPLE)


@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_describes_itself_as_the_sdks_own(name: str) -> None:
    environ = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    assert sampler(None, environ).get_description() == theirs(name, 0.25).get_description()


@pytest.mark.parametrize("name", ["", "  ", " ParentBased_TraceIdRatio ", "PARENTBASED_ALWAYS_ON"])
def test_empty_is_the_default_and_case_does_not_matter(name: str) -> None:
    assert is_sampled(TRACES[0], SAMPLED, 0.0, {"OTEL_TRACES_SAMPLER": name})
    assert not is_sampled(TRACES[0], UNSAMPLED, 1.0, {"OTEL_TRACES_SAMPLER": name})


@pytest.mark.parametrize(
    "name",
    ["jaeger_remote", "always", "traceid_ratio", "parentbased_", "0.5", "always_on,always_off"],
)
def test_an_unknown_sampler_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError) as caught:
        sampler(1.0, {"OTEL_TRACES_SAMPLER": name})
    assert caught.value.field == "OTEL_TRACES_SAMPLER"
    assert name in caught.value.problem
    assert "parentbased_traceidratio" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["-0.0001", "1.0001", "nan", "inf", "-inf", "ten", "10%", "0,5", "1/2", "1e400"]
)
@pytest.mark.parametrize("name", ["traceidratio", "parentbased_traceidratio", ""])
def test_what_is_no_ratio_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        sampler(0.5, {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": text})
    assert caught.value.field == "OTEL_TRACES_SAMPLER_ARG"
    assert text in caught.value.problem


@pytest.mark.parametrize(
    ("text", "ratio"), [("0", 0.0), ("0.0", 0.0), ("1", 1.0), (" 1.0 ", 1.0), ("1e-1", 0.1)]
)
def test_the_bounds_are_ratios(text: str, ratio: float) -> None:
    environ = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": text}
    expected = TraceIdRatioBased(ratio).get_description()
    assert sampler(None, environ).get_description() == expected


@pytest.mark.parametrize("name", ["always_on", "parentbased_always_off"])
def test_an_argument_that_the_sampler_does_not_take_is_not_read(name: str) -> None:
    sampler(None, {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "ten"})


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_share_of_derived_trace_ids_is_the_ratio(ratio: float) -> None:
    environ = {"OTEL_TRACES_SAMPLER_ARG": str(ratio)}
    share = sum(is_sampled(trace, None, None, environ) for trace in TRACES) / len(TRACES)
    # Five standard deviations of a binomial distribution.
    assert abs(share - ratio) <= 5 * (ratio * (1 - ratio) / len(TRACES)) ** 0.5


@given(trace_ids, rates, rates)
def test_a_higher_ratio_samples_what_a_lower_one_samples(
    trace_id: str, one: float, other: float
) -> None:
    lower, higher = sorted((one, other))
    if is_sampled(trace_id, None, lower, {}):
        assert is_sampled(trace_id, None, higher, {})


@given(trace_ids, rates)
def test_the_environments_rate_is_used_without_an_argument(trace_id: str, rate: float) -> None:
    alone = is_sampled(trace_id, None, rate, {})
    assert alone is is_sampled(trace_id, None, None, {"OTEL_TRACES_SAMPLER_ARG": repr(rate)})
    for arg, expected in (("0", False), ("1", True)):
        assert is_sampled(trace_id, None, rate, {"OTEL_TRACES_SAMPLER_ARG": arg}) is expected


@given(trace_ids)
def test_no_rate_at_all_is_everything(trace_id: str) -> None:
    assert is_sampled(trace_id, None, None, {})


@given(st.sampled_from([SAMPLED, UNSAMPLED]), rates)
def test_the_callers_decision_stands_unless_only_the_ratio_is_asked(
    parent: TraceContext, rate: float
) -> None:
    for root in ("always_on", "always_off", "traceidratio"):
        environ = {"OTEL_TRACES_SAMPLER": f"parentbased_{root}"}
        assert is_sampled(parent.trace_id, parent, rate, environ) is parent.sampled
    by_ratio = {"OTEL_TRACES_SAMPLER": "traceidratio"}
    alone = is_sampled(parent.trace_id, None, rate, by_ratio)
    assert is_sampled(parent.trace_id, parent, rate, by_ratio) is alone


def test_the_process_environment_is_read_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert not is_sampled(TRACES[0], None, 1.0)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    assert is_sampled(TRACES[0], UNSAMPLED, 0.0)


@pytest.mark.parametrize(
    ("environment", "rate"),
    [
        ("production", 0.1), ("prod", 0.1), ("staging", 1.0), ("development", 1.0),
        ("production-eu", 1.0), ("preprod", 1.0),
    ],
)  # fmt: skip
def test_rates_by_name_are_the_specifications(environment: str, rate: float) -> None:
    assert default_rate(environment) == rate


def test_uuid_versions_do_not_skew_the_ratio() -> None:
    # Version and variant bits of a UUID are fixed, so that the UUID itself would be no random id.
    fixed = [ids.trace_id(UUID(int=number << 64)) for number in range(2000)]
    share = sum(is_sampled(trace, None, 0.1, {}) for trace in fixed) / len(fixed)
    assert abs(share - 0.1) <= 5 * (0.1 * 0.9 / len(fixed)) ** 0.5
