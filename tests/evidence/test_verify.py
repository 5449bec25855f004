from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope

from engine.errors import EvidenceError, InputError
from engine.evidence.envelope import PAYLOAD_TYPE
from engine.evidence.keys import SigningKey
from engine.evidence.verify import verify_envelope
from engine.model.base import Json
from engine.model.canonical import sha256_hex
from tests.evidence.conftest import Signed
from tests.evidence.samples import API, WEB

JSON_VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
shared_fixtures = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


def seal(payload: bytes, key: SigningKey, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """A true signature over anything, by securesystemslib alone."""
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(key.signer)
    return json.dumps(envelope.to_dict()).encode()


def changed(signed: Signed, change: Callable[[Any], object]) -> bytes:
    envelope = json.loads(signed.envelope)
    change(envelope)
    return json.dumps(envelope).encode()


def refusal(envelope: bytes, public: bytes) -> str:
    with pytest.raises(EvidenceError) as raised:
        verify_envelope(envelope, public)
    return str(raised.value)


def set_in(path: tuple[str | int, ...], value: Json) -> Callable[[Any], object]:
    def change(document: Any) -> None:
        *parents, last = path
        for part in parents:
            document = document[part]
        document[last] = value

    return change


def test_tells_what_was_verified(signed: Signed) -> None:
    verified = verify_envelope(signed.envelope, signed.public)
    assert verified.payload == signed.statement
    assert verified.sha256 == sha256_hex(signed.statement)
    assert verified.key_id == signed.key.key_id
    assert [(part.name, f"sha256:{part.digest.sha256}") for part in verified.subjects] == [
        (WEB.name, WEB.digest),
        (API.name, API.digest),
    ]
    assert verified.predicate.release.version == "2.0.0"


def test_refuses_the_signature_of_another_key(signed: Signed, other_key: SigningKey) -> None:
    said = refusal(signed.envelope, other_key.public_pem())
    assert f"no signature is by the given key, whose id is {other_key.key_id}" in said
    assert signed.key.key_id in said


def test_refuses_the_signature_of_another_key_under_a_borrowed_name(
    signed: Signed, other_key: SigningKey
) -> None:
    envelope = json.loads(seal(signed.statement, other_key))
    envelope["signatures"][0]["keyid"] = signed.key.key_id
    said = refusal(json.dumps(envelope).encode(), signed.public)
    assert f"the signature does not verify with key {signed.key.key_id}" in said


def test_takes_an_envelope_without_key_id_and_in_the_other_base64(signed: Signed) -> None:
    def change(envelope: Any) -> None:
        del envelope["signatures"][0]["keyid"]
        for holder, field in ((envelope, "payload"), (envelope["signatures"][0], "sig")):
            holder[field] = base64.urlsafe_b64encode(base64.b64decode(holder[field])).decode()

    assert verify_envelope(changed(signed, change), signed.public).payload == signed.statement


def test_one_of_several_signatures_is_enough(signed: Signed, other_key: SigningKey) -> None:
    other = json.loads(seal(signed.statement, other_key))["signatures"]
    both = changed(signed, lambda envelope: envelope["signatures"].extend(other))
    assert verify_envelope(both, signed.public).key_id == signed.key.key_id
    assert verify_envelope(both, other_key.public_pem()).key_id == other_key.key_id


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        (b"", "the envelope is not JSON: Expecting value at line 1, column 1"),
        (b"\xff\xfe{}", "the envelope is not JSON: it is not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "the envelope is not JSON"),
        ("{}".encode("utf-16-le"), "the envelope is not JSON"),
        (b'{"payload": ', "the envelope is not JSON"),
        (b"[]", "the envelope is not a JSON object"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the envelope is not usable JSON"),
        (b'{"payload": "", "payload": ""}', "the key 'payload' occurs twice"),
        (b"{}", "this is not a DSSE envelope: payload: Field required"),
    ],
)
def test_says_what_is_wrong_with_the_bytes(signed: Signed, envelope: bytes, said: str) -> None:
    assert said in refusal(envelope, signed.public)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("payload",), 1, "payload: Input should be a valid string"),
        (("payload",), "%%%", "payload is not Base64"),
        (("payload",), "é", "payload is not Base64"),
        (("payload",), "", "the signature does not verify"),
        (("payloadType",), None, "payloadType: Input should be a valid string"),
        (("payloadType",), "text/plain", "the payload type is 'text/plain', not 'application/vnd"),
        (("signatures",), [], "signatures: List should have at least 1 item"),
        (("signatures",), {}, "signatures: Input should be a valid array"),
        (("signatures", 0), "x", "signatures.0: Input should be an object"),
        (("signatures", 0, "sig"), None, "signatures.0.sig: Input should be a valid string"),
        (("signatures", 0, "sig"), "AA", "signatures.0.sig is not Base64"),
        (("signatures", 0, "sig"), "AAAA", "the signature does not verify"),
        (("signatures", 0, "sig"), "", "the signature does not verify"),
        (("signatures", 0, "keyid"), 7, "signatures.0.keyid: Input should be a valid string"),
        (("signatures", 0, "keyid"), "0" * 64, "no signature is by the given key"),
    ],
)
def test_says_what_is_wrong_with_the_envelope(
    signed: Signed, path: tuple[str | int, ...], value: Json, said: str
) -> None:
    assert said in refusal(changed(signed, set_in(path, value)), signed.public)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1", "not an in-toto Statement v1"),
        (("predicateType",), "https://slsa.dev/provenance/v1", "is not about a promotion"),
        (("predicateType",), {"a": ["b"] * 500}, "is not about a promotion"),
        (("subject",), [], "subject: Tuple should have at least 1 item"),
        (("subject", 0, "digest"), {}, "subject.0.digest.sha256: Field required"),
        (("subject", 0, "digest", "sha256"), "ABC", "subject.0.digest.sha256: String should match"),
        (("predicate",), None, "predicate: Input should be an object"),
        (("predicate", "gates", 0, "outcome"), "maybe", "predicate.gates.0.outcome: Input should"),
        (("predicate", "approvals", 0, "counts"), "yes", "predicate.approvals.0.counts: Input"),
        (("predicate", "promotion", "startedAt"), "today", "predicate.promotion.startedAt: Input"),
        (("predicate", "promotion", "startedAt"), 12, "predicate.promotion.startedAt: Input"),
    ],
)
def test_says_what_is_wrong_with_a_truly_signed_payload(
    signed: Signed, path: tuple[str | int, ...], value: Json, said: str
) -> None:
    statement = json.loads(signed.statement)
    set_in(path, value)(statement)
    message = refusal(seal(json.dumps(statement).encode(), signed.key), signed.public)
    assert said in message
    assert len(message) < 400


@pytest.mark.parametrize("field", ["_type", "subject", "predicateType", "predicate"])
def test_a_statement_lacks_nothing(signed: Signed, field: str) -> None:
    statement = json.loads(signed.statement)
    del statement[field]
    refusal(seal(json.dumps(statement).encode(), signed.key), signed.public)


def test_a_truly_signed_payload_of_another_type_is_refused(signed: Signed) -> None:
    envelope = seal(signed.statement, signed.key, "application/json")
    assert "the payload type is 'application/json'" in refusal(envelope, signed.public)


def test_fields_that_a_later_version_adds_are_passed_over(signed: Signed) -> None:
    statement = json.loads(signed.statement)
    statement["predicate"]["gates"][0]["later"] = {"any": ["thing"]}
    payload = json.dumps(statement).encode()
    assert verify_envelope(seal(payload, signed.key), signed.public).payload == payload


def test_every_flipped_character_of_the_signature_is_refused(signed: Signed) -> None:
    signature = json.loads(signed.envelope)["signatures"][0]["sig"]
    assert_no_flip_passes(signed, signature.encode(), range(len(signature)), bits=range(7))


def test_every_flipped_character_of_the_payload_is_refused(signed: Signed) -> None:
    payload = json.loads(signed.envelope)["payload"]
    positions = range(len(payload))
    assert_no_flip_passes(signed, payload.encode(), positions, bits=[0])
    assert_no_flip_passes(signed, payload.encode(), positions[-8:], bits=range(7))


def assert_no_flip_passes(
    signed: Signed, part: bytes, positions: range, bits: range | list[int]
) -> None:
    start = signed.envelope.index(part)
    passed = []
    for position in positions:
        for bit in bits:
            envelope = bytearray(signed.envelope)
            envelope[start + position] ^= 1 << bit
            try:
                verify_envelope(bytes(envelope), signed.public)
            except EvidenceError:
                continue
            passed.append((position, bit))
    assert passed == []


@shared_fixtures
@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_every_flipped_byte_of_the_statement_is_refused(
    signed: Signed, position: int, flip: int
) -> None:
    payload = bytearray(signed.statement)
    payload[position % len(payload)] ^= flip
    envelope = changed(signed, set_in(("payload",), base64.b64encode(payload).decode()))
    assert "the signature does not verify" in refusal(envelope, signed.public)


@shared_fixtures
@given(envelope=st.binary())
def test_any_bytes_are_refused_as_evidence(signed: Signed, envelope: bytes) -> None:
    refusal(envelope, signed.public)


@shared_fixtures
@given(
    envelope=st.fixed_dictionaries(
        {},
        optional={
            "payload": JSON_VALUES,
            "payloadType": st.just(PAYLOAD_TYPE) | JSON_VALUES,
            "signatures": st.lists(
                st.fixed_dictionaries({}, optional={"keyid": JSON_VALUES, "sig": JSON_VALUES})
            )
            | JSON_VALUES,
        },
    )
)
def test_any_json_is_refused_as_evidence(signed: Signed, envelope: dict[str, Json]) -> None:
    refusal(json.dumps(envelope).encode(), signed.public)


@shared_fixtures
@given(payload=st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_truly_signed_payload_that_is_no_statement_is_refused(
    signed: Signed, payload: bytes
) -> None:
    refusal(seal(payload, signed.key), signed.public)


@shared_fixtures
@given(data=st.data(), value=JSON_VALUES)
def test_any_value_anywhere_in_a_truly_signed_statement_is_taken_or_refused(
    signed: Signed, data: st.DataObject, value: Json
) -> None:
    document = json.loads(signed.statement)
    place: Any = document
    while True:
        options = list(place) if isinstance(place, dict) else list(range(len(place)))
        step = data.draw(st.sampled_from(options))
        if not (isinstance(place[step], dict | list) and place[step] and data.draw(st.booleans())):
            place[step] = value
            break
        place = place[step]
    payload = json.dumps(document).encode()
    try:
        verified = verify_envelope(seal(payload, signed.key), signed.public)
    except EvidenceError:
        return
    assert verified.payload == payload


def test_an_unusable_public_key_is_the_callers_mistake(signed: Signed) -> None:
    with pytest.raises(InputError, match=r"^key: this is not a PEM public key"):
        verify_envelope(signed.envelope, b"garbage")
