from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from engine.store.types import UTCDateTime, storable_json, storable_text

DIALECTS = [make_url(url).get_dialect()() for url in ("sqlite://", "postgresql+psycopg://")]
TEXT = st.text(st.characters())
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(TEXT)
def test_storable_text_is_utf8_without_nul_and_otherwise_unchanged(text: str) -> None:
    stored = storable_text(text)
    stored.encode("utf-8")
    assert "\x00" not in stored
    assert len(stored) == len(text)
    for before, after in zip(text, stored, strict=True):
        assert after == before or (after == "\ufffd" and (before == "\x00" or before >= "\ud800"))


@given(DATA)
def test_storable_json_is_strict_json_and_stays_so(data: object) -> None:
    stored = storable_json(data)
    written = json.dumps(stored, allow_nan=False, ensure_ascii=False)
    written.encode("utf-8")
    assert json.loads(written) == stored
    assert storable_json(stored) == stored


@given(st.datetimes(timezones=st.timezones(), allow_imaginary=False))
def test_a_moment_is_the_same_moment_in_utc_on_both_databases(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    for dialect in DIALECTS:
        column = UTCDateTime()
        stored = column.process_bind_param(moment, dialect)
        read = column.process_result_value(stored, dialect)
        assert read == expected
        assert read is not None
        assert read.tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused() -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises(ValueError, match="ambiguous"):
        UTCDateTime().process_bind_param(naive, DIALECTS[0])
