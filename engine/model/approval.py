"""Votes: what people say to a promotion."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from engine.model.base import Digest, Document, Timestamp, Value


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
    """

    user: str
    decision: VoteDecision
    comment: str = ""
    binding: Digest
    at: Timestamp


class VoteInput(Document):
    """The argument of the updates `approve` and `reject`: `{"user": "bob", "comment": "…"}`."""

    user: str = Field(min_length=1)
    comment: str = ""


class CancelInput(Document):
    """The argument of the update `cancel`: `{"user": "bob", "reason": "…"}`."""

    user: str = Field(min_length=1)
    reason: str = ""
