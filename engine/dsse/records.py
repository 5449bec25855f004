"""What every statement is made of, whoever makes it: camelCase records, and digests.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/README.md
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from engine.model.base import Digest, Value

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
"""The `_type` of a statement."""

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256, 64 lower-case hexadecimal digits."""


class Record(Value):
    """Base of everything inside a statement: camelCase in JSON, descriptions in the schema."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class DigestSet(Record):
    """An in-toto DigestSet with the one algorithm that is used here.

    https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
    """

    sha256: Sha256Hex
    """SHA-256, 64 lower-case hexadecimal digits."""

    @classmethod
    def of(cls, digest: Digest) -> Self:
        """The set that holds `digest`, which has the form `sha256:<hex>`."""
        return cls(sha256=digest.removeprefix("sha256:"))
