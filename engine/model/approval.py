"""Votes: what people say to a promotion."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from engine.model.base import Digest, Document, Json, Timestamp, Value


class VoteDecision(StrEnum):
    """What one person says."""

    APPROVE = "approve"
    REJECT = "reject"


class Vote(Value):
    """One person's vote, bound to exactly what they saw.

    Attributes:
        user: the voter's name.
        binding: digest over release, template and policy; the vote counts for nothing else.
        at: when the workflow accepted it.
        on_behalf_of: whose right it is, when the voter votes for somebody else by delegation.
        envelope: the DSSE envelope of a signed vote
            (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md); else None.
        is_signed: whether it came with an envelope, for where that is left out.
        withdrawn_at: when the voter took it back; it counts for nothing from then on.
        withdrawal_reason: why they did.
        withdrawal_envelope: the DSSE envelope of a signed withdrawal; else None.
    """

    user: str
    decision: VoteDecision
    comment: str = ""
    binding: Digest
    at: Timestamp
    on_behalf_of: str | None = None
    envelope: dict[str, Json] | None = None
    is_signed: bool = False
    withdrawn_at: Timestamp | None = None
    withdrawal_reason: str = ""
    withdrawal_envelope: dict[str, Json] | None = None

    @property
    def right_of(self) -> str:
        """Whose right it exercises."""
        return self.on_behalf_of or self.user

    @property
    def shown(self) -> Vote:
        """The vote for people who look: without envelopes, each of which names all components."""
        return self.model_copy(update={"envelope": None, "withdrawal_envelope": None})


class VoteInput(Document):
    """The argument of the updates `approve` and `reject`: `{"user": "bob", "comment": "…"}`.

    Attributes:
        binding: what the voter saw; refused when it is not what the promotion is about.
        on_behalf_of: whose vote is given by delegation.
        envelope: the signed statement, where the environment demands one.
    """

    user: str = Field(min_length=1)
    comment: str = ""
    binding: Digest | None = None
    on_behalf_of: str | None = None
    envelope: dict[str, Json] | None = None


class WithdrawInput(Document):
    """The argument of the update `withdraw`: `{"user": "bob", "reason": "…"}`.

    Attributes:
        envelope: the signed statement, where the environment demands one.
    """

    user: str = Field(min_length=1)
    reason: str = ""
    envelope: dict[str, Json] | None = None


class CancelInput(Document):
    """The argument of the update `cancel`: `{"user": "bob", "reason": "…"}`."""

    user: str = Field(min_length=1)
    reason: str = ""
