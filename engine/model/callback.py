"""What somebody says who was asked by a gate, or told to call back."""

from __future__ import annotations

from pydantic import Field, field_validator

from engine.model.base import Document, Json
from engine.model.canonical import canonical_json

MAX_BODY_BYTES = 16 * 1024
"""The largest answer: it becomes part of the workflow's history."""


class CallbackInput(Document):
    """The argument of the update `gate_callback`.

    Attributes:
        token: what the gate gave out with its question.
        body: the answer; the gate's type says what belongs in it. At most `MAX_BODY_BYTES` as JSON.
    """

    gate: str = Field(min_length=1)
    token: str = Field(min_length=1, repr=False)
    body: dict[str, Json] = Field(default_factory=dict)

    @field_validator("body")
    @classmethod
    def _is_small(cls, body: dict[str, Json]) -> dict[str, Json]:
        try:
            size = len(canonical_json(body))
        except ValueError as error:
            raise ValueError("holds a value that JSON cannot carry exactly") from error
        if size > MAX_BODY_BYTES:
            raise ValueError(f"is larger than {MAX_BODY_BYTES // 1024} KiB")
        return body
