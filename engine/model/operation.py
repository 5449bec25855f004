"""What a person does to a step of a running promotion: have it tried again, let it go on."""

from __future__ import annotations

from pydantic import Field

from engine.model.base import Document, Timestamp, Value


class StepActionInput(Document):
    """The argument of the updates `retry` and `advance`: `{"user": "bob", "node": "migrate"}`.

    Attributes:
        node: the node's id; may be left out where only one can be meant.
        reason: why, for the record.
    """

    user: str = Field(min_length=1)
    node: str = ""
    reason: str = ""


class StepAction(Value):
    """The same, accepted and told to the run of the template.

    Attributes:
        at: when the promotion's workflow accepted it.
    """

    user: str
    node: str
    reason: str = ""
    at: Timestamp
