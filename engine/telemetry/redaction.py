"""Step inputs as a span attribute: canonical JSON, secrets taken out, at most 4 KiB."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.model.base import Json
from engine.model.canonical import canonical_json

MAX_BYTES = 4096
REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase|code)|pass$|pwd|secret|token|credential|cookie|auth$|authorization"
    r"|(api|private|access|signing|encryption)[ ._-]?key",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Whether what stands under `key` is taken for a secret."""
    return _SECRET_KEY.search(key) is not None


def redact(value: Json) -> Json:
    """`value` with everything below a key that names a secret replaced."""
    if isinstance(value, Mapping):
        return {key: REDACTED if is_secret(key) else redact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


def inputs_attribute(inputs: Mapping[str, Json]) -> str:
    """The value of `step.inputs`: RFC 8785 JSON, redacted.

    Inputs beyond 4 KiB, or with a value that has no JSON form, are replaced by an object that names
    their keys, so that the attribute stays JSON; where even that is too much, by their number.
    """
    for candidate in (redact(dict(inputs)), {"truncated": sorted(inputs)}):
        try:
            text = canonical_json(candidate)
        except ValueError:
            continue
        if len(text) <= MAX_BYTES:
            return text.decode()
    return canonical_json({"truncated": len(inputs)}).decode()
