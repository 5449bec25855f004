"""Step inputs as a span attribute: canonical JSON, secrets taken out, at most 4 KiB."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.model.base import Json
from engine.model.canonical import canonical_json

MAX_BYTES = 4096
REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|api[_-]?key|private[_-]?key|authorization|cookie",
    re.IGNORECASE,
)


def redact(value: Json) -> Json:
    """`value` with everything below a key that names a secret replaced."""
    if isinstance(value, Mapping):
        return {
            key: REDACTED if _SECRET_KEY.search(key) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


def inputs_attribute(inputs: Mapping[str, Json]) -> str:
    """The value of `step.inputs`: RFC 8785 JSON, redacted.

    Inputs beyond 4 KiB are replaced by an object that names their keys, so that the attribute
    stays JSON; with too many keys even for that, by their number.
    """
    text = canonical_json(redact(dict(inputs)))
    if len(text) > MAX_BYTES:
        text = canonical_json({"truncated": sorted(inputs)})
    if len(text) > MAX_BYTES:
        text = canonical_json({"truncated": len(inputs)})
    return text.decode()
