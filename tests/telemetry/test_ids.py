from __future__ import annotations

import hashlib
import re
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry import ids

PROMOTION = UUID("0b0c8e3e-7a63-4a55-9a0f-0c5f7d6f1c11")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE_ID = re.compile(r"[0-9a-f]{32}")
SPAN_ID = re.compile(r"[0-9a-f]{16}")
NAMES = st.from_regex(r"[a-z_]+(\.[a-z_-]+){0,2}", fullmatch=True)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("promotion", "expected"),
    [
        (PROMOTION, "e0eb64c8c7d6f483ff23cd5e360477c7"),
        (UUID(int=0), "12b9377cbe7e5c94e8a70d9d23929523"),
        (UUID(int=2**128 - 1), "13984ab878f915021670cd855c9399eb"),
    ],
)
def test_trace_ids_stay_what_they_were(promotion: UUID, expected: str) -> None:
    assert ids.trace_id(promotion) == expected == digest(str(promotion))[:32]


@pytest.mark.parametrize(
    ("name", "identity", "expected"),
    [
        ("promotion.request", str(PROMOTION), "a359408258e4f1b0"),
        ("gate.security", "scan", "8fcd1944d5f61a98"),
        ("gate.security", "second-scan", "1705779a447ad189"),
        ("agent.task.pull", "d3c9f1a2-0000-5000-8000-000000000001", "74fea835f9dd90ea"),
        ("gate.approval", "größe-☃", "2897fb81d4b1abe2"),
    ],
)
def test_span_ids_stay_what_they_were(name: str, identity: str, expected: str) -> None:
    assert ids.span_id(TRACE, name, identity) == expected
    assert expected == digest(f"{TRACE}\n{name}\n{identity}")[:16]


@given(st.uuids())
def test_a_trace_id_is_valid(promotion: UUID) -> None:
    found = ids.trace_id(promotion)
    assert TRACE_ID.fullmatch(found)
    assert int(found, 16) != 0
    assert found == ids.trace_id(UUID(str(promotion)))


@given(st.uuids(), NAMES, st.text(st.characters(exclude_categories=["Cs"])))
def test_a_span_id_is_valid(promotion: UUID, name: str, identity: str) -> None:
    found = ids.span_id(ids.trace_id(promotion), name, identity)
    assert SPAN_ID.fullmatch(found)
    assert int(found, 16) != 0


@given(
    st.sets(st.uuids(), min_size=1, max_size=4),
    st.sets(NAMES, min_size=1, max_size=6),
    st.sets(st.uuids().map(str), min_size=1, max_size=6),
)
def test_other_work_has_another_id(
    promotions: set[UUID], names: set[str], identities: set[str]
) -> None:
    traces = {ids.trace_id(promotion) for promotion in promotions}
    assert len(traces) == len(promotions)
    works = list(product(traces, names, identities))
    assert len({ids.span_id(*work) for work in works}) == len(works)


@pytest.mark.parametrize(
    ("digits", "expected"), [("0" * 32, "0" * 31 + "1"), ("0" * 16, "0" * 15 + "1")]
)
def test_an_all_zero_digest_becomes_a_valid_id(digits: str, expected: str) -> None:
    # No input with such a digest is known, so that only the rule itself can be asked.
    assert ids._nonzero(digits) == expected
