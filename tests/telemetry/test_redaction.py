from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.model.base import Json
from engine.model.canonical import canonical_json
from engine.telemetry.redaction import MAX_BYTES, REDACTED, inputs_attribute, redact

SECRET_KEYS = (
    "password", "Password", "db_password", "password_hash", "userPasswordOld", "PASSWORD2",
    "passwd", "passphrase", "passcode", "dbPass", "pwd", "secret", "client_secret",
    "SECRET_ACCESS_KEY", "token", "accessToken", "token_v2", "credential", "credentials",
    "apikey", "apiKey", "api_key", "api-key", "api key", "x-api-key", "private_key", "privateKey",
    "access_key", "signing-key", "encryption_key", "Authorization", "proxy-authorization",
    "basic_auth", "Cookie", "set-cookie",
)  # fmt: skip
PLAIN_KEYS = ("strategy", "batch_size", "max_critical", "path", "url", "passed", "author", "key")
SENTINEL = "hunter2"

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=12,
)
# Whatever Python can hold in the place of JSON, such as what no JSON number or text can say.
anything = st.recursive(
    scalars | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
sentinels = st.recursive(
    st.just(SENTINEL),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(texts, inner, min_size=1),
    max_leaves=4,
)


def read(text: str) -> Json:
    """Read RFC 8785 JSON, in which every number is a double, however large."""
    loaded: Json = json.loads(text, parse_int=float)
    return loaded


@st.composite
def with_secrets(draw: st.DrawFn) -> dict[str, Json]:
    """Inputs in which the sentinel stands below secret keys only, at any depth."""
    held = draw(st.dictionaries(st.sampled_from(SECRET_KEYS), sentinels, min_size=1, max_size=3))
    holder: Json = {**draw(st.dictionaries(st.sampled_from(PLAIN_KEYS), numbers)), **held}
    for wrapped_in_list in draw(st.lists(st.booleans(), max_size=4)):
        plain = draw(st.sampled_from(PLAIN_KEYS))
        holder = [holder] if wrapped_in_list else {plain: holder}
    return {"outer": holder, **held}


@given(with_secrets())
def test_no_value_below_a_secret_key_survives(inputs: dict[str, Json]) -> None:
    text = inputs_attribute(inputs)
    assert SENTINEL not in text
    assert REDACTED in text


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_each_secret_key_is_known(key: str) -> None:
    assert redact({key: SENTINEL}) == {key: REDACTED}
    assert redact({"list": [{key: {"deep": [SENTINEL]}}]}) == {"list": [{key: REDACTED}]}


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_each_plain_key_keeps_its_value(key: str) -> None:
    assert redact({key: [1, {"x": "y"}]}) == {key: [1, {"x": "y"}]}


@given(st.dictionaries(st.text(), anything))
@example({"a": math.nan})
@example({"a": -math.inf})
@example({"a": 2**53})
@example({"a": "\ud800"})
@example({"\ud800": 1})
@example({"a": "x" * 5000})
@example({"a" * 5000: 1})
@example({str(number): number for number in range(2000)})
@example({"ü" * 2040: 1})
def test_any_inputs_give_canonical_json_of_at_most_4_kib(inputs: dict[str, Json]) -> None:
    text = inputs_attribute(inputs)
    assert len(text.encode()) <= MAX_BYTES == 4096
    assert canonical_json(read(text)) == text.encode()
    assert inputs_attribute(dict(reversed(inputs.items()))) == text


@given(st.dictionaries(st.sampled_from(PLAIN_KEYS), scalars | st.lists(numbers, max_size=5)))
def test_small_inputs_without_secrets_stay_as_they_are(inputs: dict[str, Json]) -> None:
    text = inputs_attribute(inputs)
    if len(canonical_json(inputs)) <= MAX_BYTES:
        assert read(text) == inputs
        assert redact(inputs) == inputs


def test_the_largest_attribute_is_whole_and_one_byte_more_is_not() -> None:
    frame = len(inputs_attribute({"a": ""}))
    whole = {"a": "x" * (MAX_BYTES - frame)}
    assert json.loads(inputs_attribute(whole)) == whole
    assert inputs_attribute({"a": whole["a"] + "x"}) == '{"truncated":["a"]}'


def test_a_secret_does_not_count_towards_the_limit() -> None:
    assert inputs_attribute({"token": "x" * 10_000}) == f'{{"token":"{REDACTED}"}}'


def test_the_keys_of_large_inputs_are_named_in_order() -> None:
    assert inputs_attribute({"b": "x" * 5000, "a": 1}) == '{"truncated":["a","b"]}'
    many = {f"key-{number}": number for number in range(1000)}
    assert inputs_attribute(many) == '{"truncated":1000}'
