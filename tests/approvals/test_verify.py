"""What passes for a person's signed word on one promotion, and what does not."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    CryptoSigner,
)

from engine.approvals.keys import ApproverSigner
from engine.approvals.sign import sign
from engine.approvals.statement import PAYLOAD_TYPE, Word, statement_of
from engine.approvals.verify import MAX_ENVELOPE_BYTES, verify
from engine.dsse.envelope import seal
from engine.errors import EvidenceError
from engine.evidence.envelope import PAYLOAD_TYPE as IN_TOTO
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.environment import ApproverKey
from engine.model.promotion import PromotionSnapshot, PromotionState
from engine.model.release import Component
from engine.model.status import PromotionStatus
from tests.approvals.voters import asking, key_of, registered, signed
from tests.gates.builders import NOON, component

CONFIG: dict[str, Json] = {"groups": ["leads"], "signed": True}
ABOUT = asking(CONFIG, keys=registered("bob", "carol"), components=[component(), component("api")])
HOUR = timedelta(hours=1)
SIGNED = {person: signed(ABOUT, person) for person in ("bob", "carol")}


def accepted(envelope: dict[str, Json], about: PromotionSnapshot = ABOUT, **more: Any) -> Any:
    return verify(envelope, about, Word.APPROVE, "bob", NOON, **more)


def refusal(envelope: dict[str, Json], about: PromotionSnapshot = ABOUT, **more: Any) -> str:
    with pytest.raises(EvidenceError) as refused:
        accepted(envelope, about, **more)
    assert len(str(refused.value)) < 600
    return str(refused.value)


def changed(about: PromotionSnapshot = ABOUT, **changes: Any) -> PromotionSnapshot:
    return about.model_copy(update=changes)


def resigned(change: Callable[[Any], object], by: str = "bob") -> dict[str, Json]:
    """A truly signed payload that says something else."""
    document = json.loads(base64.b64decode(str(signed(ABOUT, by)["payload"])))
    change(document)
    sealed = seal(json.dumps(document).encode(), PAYLOAD_TYPE, key_of(by).signer)
    parsed: dict[str, Json] = json.loads(sealed)
    return parsed


@pytest.mark.parametrize("person", ["bob", "carol"])
def test_a_persons_signature_is_accepted_by_either_kind_of_key(person: str) -> None:
    word = verify(signed(ABOUT, person, comment="ok"), ABOUT, Word.APPROVE, person, NOON)
    assert word.public_key == key_of(person).public_pem
    assert word.key_id == key_of(person).key_id
    assert word.statement.predicate.comment == "ok"
    assert word.digest == digest_of_bytes(word.statement.canonical())


def test_what_is_signed_names_promotion_release_components_environment_and_decision() -> None:
    payload = json.loads(base64.b64decode(str(signed(ABOUT, "bob")["payload"])))
    assert payload == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": each.name, "digest": {"sha256": each.digest.removeprefix("sha256:")}}
            for each in ABOUT.release.components
        ],
        "predicateType": "https://promotion-engine.dev/attestations/approval/v0.1",
        "predicate": {
            "word": "approve",
            "user": "bob",
            "comment": "",
            "promotion": str(ABOUT.promotion_id),
            "release": {
                "name": "web",
                "version": "1.0.0",
                "digest": {"sha256": ABOUT.release.digest.removeprefix("sha256:")},
            },
            "environment": "production",
            "tenant": "default",
            "binding": {"sha256": ABOUT.binding.removeprefix("sha256:")},
            "signedAt": "2026-03-02T12:00:00Z",
        },
    }


class TestAnotherPromotion:
    def test_of_the_same_release_to_the_same_environment(self) -> None:
        other = changed(promotion_id=uuid4())
        told = refusal(signed(other, "bob"))
        assert f"signed for the promotion {other.promotion_id}, and this is" in told

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"name": "staging"}, "the environment 'staging' instead of 'production'"),
            ({"groups": {"leads": ("bob",)}}, "another release, template or policy"),
            ({"keys": {}}, "another release, template or policy"),
        ],
    )
    def test_with_another_environment_or_policy(self, change: Any, said: str) -> None:
        environment = ABOUT.environment.model_copy(update=change)
        assert said in refusal(signed(changed(environment=environment), "bob"))

    def test_of_another_tenant(self) -> None:
        assert "the tenant 'acme' instead of 'default'" in refusal(
            signed(changed(tenant="acme"), "bob")
        )

    @pytest.mark.parametrize(
        "update",
        [
            {"version": "1.0.1"},
            {"components": (component(),)},
            {"components": (Component(name="web", artifact="x:", digest="sha256:" + "0" * 64),)},
            {"committers": ("mallory",)},
        ],
    )
    def test_of_another_release(self, update: Any) -> None:
        other = changed(release=ABOUT.release.model_copy(update=update))
        assert "it was signed for the release web@" in refusal(signed(other, "bob"))

    def test_components_are_held_one_by_one(self) -> None:
        def swap(document: Any) -> None:
            document["subject"][0]["digest"], document["subject"][1]["digest"] = (
                document["subject"][1]["digest"],
                document["subject"][0]["digest"],
            )

        assert refusal(resigned(swap)) == "it was signed for components with other digests"
        assert "other digests" in refusal(resigned(lambda document: document["subject"].pop()))


class TestAnotherWord:
    @pytest.mark.parametrize("word", ["reject", "withdraw"])
    def test_than_the_one_that_is_said(self, word: str) -> None:
        assert f"the word '{word}' instead of 'approve'" in refusal(signed(ABOUT, "bob", word))

    def test_of_another_person_with_ones_own_key(self) -> None:
        envelope = signed(ABOUT, "carol", by=key_of("bob"))
        assert "the user 'carol' instead of 'bob'" in refusal(envelope)

    def test_for_somebody_else(self) -> None:
        envelope = signed(ABOUT, "bob", on_behalf_of="carol")
        assert "on behalf of 'carol' instead of nobody" in refusal(envelope)
        accepted(envelope, on_behalf_of="carol")

    def test_from_the_future(self) -> None:
        accepted(signed(ABOUT, "bob", at=NOON + timedelta(minutes=4)))
        assert "is in the future" in refusal(signed(ABOUT, "bob", at=NOON + HOUR))


class TestKeys:
    def test_another_persons_key(self) -> None:
        assert "the signature verifies with no key that is registered for bob" in refusal(
            signed(ABOUT, "bob", by=key_of("carol"))
        )

    def test_another_persons_key_under_a_borrowed_id(self) -> None:
        envelope: Any = signed(ABOUT, "bob", by=key_of("carol"))
        envelope["signatures"][0]["keyid"] = key_of("bob").key_id
        assert "verifies with no key" in refusal(envelope)

    def test_the_id_in_the_envelope_proves_nothing_and_may_be_absent(self) -> None:
        for wrong in ("", key_of("carol").key_id, "nonsense"):
            envelope: Any = signed(ABOUT, "bob")
            envelope["signatures"][0]["keyid"] = wrong
            assert accepted(envelope).key_id == key_of("bob").key_id
        del envelope["signatures"][0]["keyid"]
        accepted(envelope)

    def test_nobodys_key(self) -> None:
        about = asking(CONFIG)
        assert "no key is registered for bob" in refusal(signed(about, "bob"), about)

    def test_a_key_counts_until_it_ends(self) -> None:
        about = asking(CONFIG, keys=registered("bob", until=NOON + HOUR))
        envelope = signed(about, "bob")
        verify(envelope, about, Word.APPROVE, "bob", NOON + HOUR - timedelta.resolution)
        with pytest.raises(EvidenceError, match="was valid until 2026-03-02 13:00:00Z"):
            verify(envelope, about, Word.APPROVE, "bob", NOON + HOUR)

    def test_a_new_key_beside_one_that_ended(self) -> None:
        old, new = registered("bob", until=NOON)["bob"], registered("dave")["dave"]
        about = asking(CONFIG, keys={"bob": (*old, *new)})
        accepted(signed(about, "bob", by=key_of("dave")), about)
        assert "was valid until" in refusal(signed(about, "bob"), about)

    @pytest.mark.parametrize("kind", ["rsa", "p384"])
    def test_a_key_of_a_kind_that_is_not_taken_verifies_nothing(self, kind: str) -> None:
        private: Any = (
            rsa.generate_private_key(65537, 2048)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP384R1())
        )
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signer = ApproverSigner(CryptoSigner(private), public.decode())
        about = asking(CONFIG, keys={"bob": (ApproverKey(public_key=signer.public_pem),)})
        assert "verifies with no key" in refusal(signed(about, "bob", by=signer), about)

    def test_a_signature_of_one_kind_is_none_of_another(self) -> None:
        """bob's key is Ed25519 and carol's is ECDSA; neither is read by the other's algorithm."""
        for user, other in (("bob", "carol"), ("carol", "bob")):
            envelope: Any = signed(ABOUT, user)
            stolen: Any = signed(ABOUT, user, by=key_of(other))
            envelope["signatures"] = stolen["signatures"]
            envelope["signatures"][0] |= {"scheme": "ed25519", "alg": "none"}
            with pytest.raises(EvidenceError, match="verifies with no key"):
                verify(envelope, ABOUT, Word.APPROVE, user, NOON)


class TestEnvelopes:
    def test_two_signatures_are_refused_even_if_both_are_right(self) -> None:
        envelope: Any = signed(ABOUT, "bob")
        envelope["signatures"] *= 2
        assert "has 2 signatures; a vote is signed by one person" in refusal(envelope)
        envelope["signatures"][1] = signed(ABOUT, "bob", by=key_of("carol"))["signatures"][0]  # type: ignore[index]  # JSON of a shape that the test knows
        assert "has 2 signatures" in refusal(envelope)

    @pytest.mark.parametrize("payload_type", [IN_TOTO, "application/json", ""])
    def test_another_payload_type_is_refused_though_truly_signed(self, payload_type: str) -> None:
        statement = statement_of(ABOUT, Word.APPROVE, "bob", signed_at=NOON)
        sealed = json.loads(seal(statement.canonical(), payload_type, key_of("bob").signer))
        assert f"the payload type is {payload_type!r}, not" in refusal(sealed)
        sealed["payloadType"] = PAYLOAD_TYPE
        assert "verifies with no key" in refusal(sealed)

    def test_one_that_is_too_large_is_not_looked_at(self) -> None:
        envelope = {**signed(ABOUT, "bob"), "padding": "x" * MAX_ENVELOPE_BYTES}
        assert refusal(envelope) == "the envelope is larger than 128 KiB"

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ({"_type": "https://in-toto.io/Statement/v0.1"}, "is no vote: its _type is"),
            ({"predicateType": "https://slsa.dev/provenance/v1"}, "its predicateType is"),
            ({"subject": []}, "the signed statement is malformed: subject"),
            ({"predicate": {"word": "approve"}}, "the signed statement is malformed: predicate"),
        ],
    )
    def test_a_truly_signed_payload_that_is_no_vote(
        self, document: dict[str, Json], said: str
    ) -> None:
        assert said in refusal(resigned(lambda whole: whole.update(document)))

    def test_a_field_that_occurs_twice_is_refused(self) -> None:
        payload = statement_of(ABOUT, Word.APPROVE, "bob", signed_at=NOON).canonical()
        twice = payload.replace(b'"user":"bob"', b'"user":"bob","user":"bob"')
        sealed = json.loads(seal(twice, PAYLOAD_TYPE, key_of("bob").signer))
        assert "the key 'user' occurs twice" in refusal(sealed)

    @settings(deadline=None)
    @given(data=st.data())
    def test_any_change_to_what_was_signed_is_refused(self, data: st.DataObject) -> None:
        for person in ("bob", "carol"):
            envelope: Any = copy.deepcopy(SIGNED[person])
            part = data.draw(st.sampled_from(["payload", "sig"]))
            holder = envelope if part == "payload" else envelope["signatures"][0]
            raw = bytearray(base64.b64decode(holder[part]))
            position = data.draw(st.integers(0, 10_000))
            raw[position % len(raw)] ^= data.draw(st.integers(1, 255))
            holder[part] = base64.b64encode(raw).decode()
            with pytest.raises(EvidenceError, match="verifies with no key"):
                verify(envelope, ABOUT, Word.APPROVE, person, NOON)

    @settings(deadline=None)
    @given(
        envelope=st.dictionaries(
            st.sampled_from(["payload", "payloadType", "signatures"]) | st.text(),
            st.recursive(
                st.none() | st.booleans() | st.floats() | st.text(),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
                ),
                max_leaves=6,
            ),
            max_size=5,
        )
    )
    def test_any_other_json_is_refused(self, envelope: dict[str, Json]) -> None:
        refusal(envelope)


def test_the_statement_of_a_state_is_that_of_the_promotion() -> None:
    state = PromotionState(
        promotion_id=ABOUT.promotion_id,
        status=PromotionStatus.AWAITING_APPROVAL,
        release=ABOUT.release.ref,
        release_digest=ABOUT.release.digest,
        components={each.name: each.digest for each in ABOUT.release.components},
        environment=ABOUT.environment.name,
        tenant=ABOUT.tenant,
        requested_by="alice",
        requested_at=NOON,
        binding=ABOUT.binding,
    )
    statement = statement_of(state, Word.APPROVE, "bob", signed_at=NOON)
    assert statement == statement_of(ABOUT, Word.APPROVE, "bob", signed_at=NOON)
    accepted(sign(statement, key_of("bob")))
    with pytest.raises(EvidenceError, match="does not tell what it is about yet"):
        statement_of(
            state.model_copy(update={"binding": None}), Word.APPROVE, "bob", signed_at=NOON
        )
