"""What people say to pass over a gate."""

from __future__ import annotations

from pydantic import Field

from engine.model.base import Document


class OverrideInput(Document):
    """The argument of the update `override`; the gate may be left out where only one can be meant.

    Attributes:
        reason: why, for the record; it has to be given.
    """

    user: str = Field(min_length=1)
    gate: str = ""
    reason: str = Field(min_length=1)


class FreezeOverrideInput(Document):
    """The argument of the update `override_freeze`, which means the gate that a freeze is of.

    Attributes:
        reason: why, for the record; it has to be given.
    """

    user: str = Field(min_length=1)
    reason: str = Field(min_length=1)
