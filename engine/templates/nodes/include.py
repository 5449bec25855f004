"""The node type `include`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.model.base import Document, Json, Name


class IncludeInputs(Document):
    """What an include takes.

    Attributes:
        template: the name of a built-in or applied template, or `name@version`.
        parameters: values for its parameters; they may be expressions.
    """

    template: str = Field(min_length=1)
    parameters: dict[Name, Json] = Field(default_factory=dict)


class Include:
    """Stands for the nodes of another template; it is written out before anything runs."""

    inputs: ClassVar[type[Document]] = IncludeInputs
    type: ClassVar[str] = "include"
