"""What a person signs who approves, rejects, or takes an approval back: version 0.1.

The form is an in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1) with
a predicate of our own, in an envelope whose payload type is our own too: a signature under a vote
can be taken for nothing else, and no other signature for a vote. The models are the definition;
docs/schemas/approval-statement-v0.1.json is generated from them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from engine.dsse.records import STATEMENT_TYPE, DigestSet, Record
from engine.dsse.strict_json import read_model, read_object, shown
from engine.errors import EvidenceError
from engine.model.base import Digest, Name, Timestamp
from engine.model.canonical import canonical_json
from engine.model.promotion import PromotionSnapshot, PromotionState
from engine.model.release import Version

PAYLOAD_TYPE = "application/vnd.promotion-engine.approval+json"
"""The payload type of the envelope around a vote."""

PREDICATE_TYPE = "https://promotion-engine.dev/attestations/approval/v0.1"
"""The predicate type, a TypeURI
(https://github.com/in-toto/attestation/blob/main/spec/v1/field_types.md#TypeURI)."""


class Word(StrEnum):
    """What is said."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class Subject(Record):
    """A component of the release."""

    name: Name
    """The component's name."""
    digest: DigestSet
    """What its bytes are."""


class ReleaseClaim(Record):
    """The release that the word is about; its components are the statement's subjects."""

    name: Name
    """The release's name."""
    version: Version
    """The release's version."""
    digest: DigestSet
    """Over name, version, committers, and the digests of all components and attachments."""


class ApprovalPredicate(Record):
    """One person's word on one promotion. All times are RFC 3339 in UTC."""

    word: Word
    """What is said; `withdraw` takes the person's approval back."""
    user: str = Field(min_length=1)
    """Who says it: the person whose key signs."""
    on_behalf_of: str | None = Field(default=None, min_length=1)
    """Whose right it is, when the person votes for somebody else by delegation; else absent."""
    comment: str
    """Why, in their words; may be empty."""
    promotion: UUID
    """The promotion's id."""
    release: ReleaseClaim
    """What is promoted."""
    environment: Name
    """Where to."""
    tenant: str
    """For whom."""
    binding: DigestSet
    """Over release, template and policy as the person saw them: the SHA-256 of the RFC 8785 JSON
    object {"policy": P, "release": R, "template": T}, where each is written `sha256:<hex>`."""
    signed_at: Timestamp
    """When it was signed, by the signer's clock."""


class ApprovalStatement(Record):
    """The whole of what is signed."""

    statement_type: Literal["https://in-toto.io/Statement/v1"] = Field(
        default="https://in-toto.io/Statement/v1", alias="_type"
    )
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: Literal["https://promotion-engine.dev/attestations/approval/v0.1"] = (
        "https://promotion-engine.dev/attestations/approval/v0.1"
    )
    predicate: ApprovalPredicate

    def canonical(self) -> bytes:
        """The bytes to sign, canonical JSON (RFC 8785)."""
        return canonical_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def statement_of(
    about: PromotionSnapshot | PromotionState,
    word: Word,
    user: str,
    *,
    comment: str = "",
    on_behalf_of: str | None = None,
    signed_at: datetime,
) -> ApprovalStatement:
    """What `user` signs to say `word` about a promotion.

    Raises:
        EvidenceError: the state does not tell what the promotion is about, as that of a promotion
            whose request is not resolved yet.
    """
    release, components, binding = _facts(about)
    return ApprovalStatement(
        subject=tuple(
            Subject(name=name, digest=DigestSet.of(digest)) for name, digest in components.items()
        ),
        predicate=ApprovalPredicate(
            word=word,
            user=user,
            on_behalf_of=on_behalf_of,
            comment=comment,
            promotion=about.promotion_id,
            release=release,
            environment=(
                about.environment if isinstance(about.environment, str) else about.environment.name
            ),
            tenant=about.tenant,
            binding=DigestSet.of(binding),
            signed_at=signed_at,
        ),
    )


def read_statement(payload: bytes) -> ApprovalStatement:
    """The statement in a payload whose signature was verified.

    Raises:
        EvidenceError: it is none about a vote; the message names the field that is wrong.
    """
    document = read_object(payload, "the signed statement")
    for field, wanted in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if document.get(field) != wanted:
            raise EvidenceError(
                f"the signed statement is no vote: its {field} is {shown(document.get(field))}, "
                f"not {wanted!r}"
            )
    return read_model(ApprovalStatement, payload, "the signed statement is malformed")


def _facts(
    about: PromotionSnapshot | PromotionState,
) -> tuple[ReleaseClaim, dict[str, Digest], Digest]:
    if isinstance(about, PromotionSnapshot):
        release = about.release
        claim = ReleaseClaim(
            name=release.name, version=release.version, digest=DigestSet.of(release.digest)
        )
        return claim, {each.name: each.digest for each in release.components}, about.binding
    name, _, version = about.release.rpartition("@")
    if about.release_digest is None or about.binding is None or not about.components:
        raise EvidenceError(
            f"promotion {about.promotion_id} does not tell what it is about yet; ask again in a "
            "moment"
        )
    claim = ReleaseClaim(name=name, version=version, digest=DigestSet.of(about.release_digest))
    return claim, dict(about.components), about.binding
