"""Whatever is done to a report, it is read or refused with a `GateError`, and nothing else."""

from __future__ import annotations

import copy
import functools
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import GateError
from engine.gates.reports.finding import Report
from engine.gates.reports.merged import merge
from engine.gates.reports.reading import MAX_BYTES, MAX_FINDINGS, moment
from tests.gates.reports.samples import NAMES, dumped, loaded, parse, read

_FORMATS = (
    "directory.trivy.json",
    "directory.grype.json",
    "code.bandit.sarif",
    "image.grype.sarif",
    "image.trivy.cdx.json",
    "vex.cdx.json",
)
_SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_names = pytest.mark.parametrize("name", _FORMATS)


@functools.cache
def _document(name: str) -> Any:
    return loaded(name)


def _read_or_refused(name: str, data: bytes) -> None:
    with suppress(GateError):
        report = parse(name, data)
        assert sum(report.counts.values()) == len(report.findings)
        assert len(merge([report])) <= len(report.findings)


@_names
@_SETTINGS
@given(st.data())
def test_other_values_and_missing_keys(name: str, data: st.DataObject) -> None:
    document = copy.deepcopy(_document(name))
    for _ in range(data.draw(st.integers(1, 3))):
        here: Any = document
        while isinstance(here, dict | list) and here:
            keys = list(here) if isinstance(here, dict) else range(len(here))
            key = data.draw(st.sampled_from(keys))
            if data.draw(st.integers(0, 2)) == 0:
                if data.draw(st.booleans()):
                    del here[key]
                else:
                    here[key] = data.draw(_VALUES)
                break
            here = here[key]
    _read_or_refused(name, json.dumps(document).encode())


@_names
@_SETTINGS
@given(st.data())
def test_other_bytes_and_truncation(name: str, data: st.DataObject) -> None:
    written = bytearray(read(name))
    for _ in range(data.draw(st.integers(0, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(written)))
    _read_or_refused(name, bytes(written[:end]))


@_names
@_SETTINGS
@given(st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    _read_or_refused(name, data)


@_names
def test_every_truncated_report_is_refused_with_the_place(name: str) -> None:
    written = read(name).rstrip()
    for end in range(0, len(written), max(1, len(written) // 40)):
        with pytest.raises(GateError, match=r"line \d+ column \d+"):
            parse(name, written[:end])


@pytest.mark.parametrize("name", NAMES)
def test_a_report_of_one_format_is_none_of_another(name: str) -> None:
    for other in _FORMATS[:3] + _FORMATS[4:5]:
        if other.rpartition(".")[2] == name.rpartition(".")[2] == "sarif":
            continue
        kinds = (".trivy.json", ".grype.json", ".cdx.json", ".sarif")
        if any(name.endswith(kind) and other.endswith(kind) for kind in kinds):
            continue
        with pytest.raises(GateError):
            parse(other, read(name))


@_names
def test_a_deeply_nested_report_is_refused(name: str) -> None:
    document = copy.deepcopy(_document(name))
    nested = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    written = dumped(document | {"nested": "HERE"}).replace(b'"HERE"', nested)
    with pytest.raises(GateError, match="recursion limit"):
        parse(name, written)


@_names
def test_a_report_over_the_limit_is_refused_unread(name: str) -> None:
    with pytest.raises(GateError, match="more than the 32 MiB that are read"):
        parse(name, b" " * (MAX_BYTES + 1))


_LISTS = {
    "directory.trivy.json": ("Results", 0, "Vulnerabilities"),
    "image.trivy.cdx.json": ("vulnerabilities",),
}


def _repeated(name: str, times: int) -> bytes:
    document = copy.deepcopy(_document(name))
    here = document
    *path, last = _LISTS[name]
    for key in path:
        here = here[key]
    here[last] = [here[last][0]] * times
    return dumped(document)


@pytest.mark.parametrize("name", _LISTS)
def test_a_report_of_the_largest_size_is_read(name: str) -> None:
    one = len(_repeated(name, 2)) - len(_repeated(name, 1))
    times = min(MAX_FINDINGS, (MAX_BYTES - len(_repeated(name, 1))) // one)
    written = _repeated(name, times)
    assert len(written) > MAX_BYTES * 0.9
    report: Report = parse(name, written)
    assert len(report.findings) >= times
    assert len(merge([report])) == len({each.place for each in report.findings})


def test_too_many_findings_are_refused() -> None:
    small = {"vulnerability": {"id": "CVE-1"}, "artifact": {"name": "a"}}
    document = {"matches": [small] * (MAX_FINDINGS + 1), "descriptor": {"name": "grype"}}
    with pytest.raises(GateError, match=f"more than {MAX_FINDINGS} findings"):
        parse("image.grype.json", dumped(document))


@_SETTINGS
@given(st.text(max_size=40) | st.from_regex(re.compile(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T.*\Z")))
def test_any_time_is_read_or_refused(text: str) -> None:
    with suppress(GateError):
        read_time = moment(text, "here")
        assert read_time is None or read_time.utcoffset() is not None


@pytest.mark.parametrize(
    "extreme", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "", None]
)
def test_a_time_at_the_edge_is_read_or_refused(extreme: str | None) -> None:
    with suppress(GateError):
        assert moment(extreme, "here") is None
