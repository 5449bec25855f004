"""How a deployment walks over its targets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from engine.model.base import Document

Percent = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]?|100)%$")]
"""A share of the targets, `1%` to `100%`; a batch has at least one target."""


class AllAtOnce(Document):
    """Every target in one batch."""

    type: Literal["all_at_once"] = "all_at_once"


class Rolling(Document):
    """Batches of a fixed size, one after the other; a batch that fails ends the rollout.

    Attributes:
        batch_size: targets per batch, as a count or as a percentage of all targets.
    """

    type: Literal["rolling"] = "rolling"
    batch_size: Annotated[int, Field(ge=1)] | Percent = 1


Strategy = Annotated[AllAtOnce | Rolling, Field(discriminator="type")]
