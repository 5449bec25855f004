"""Writing a document as people write it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import durationpy
import yaml
from pydantic import BaseModel


def to_yaml(document: BaseModel) -> str:
    """The document in YAML, without what is left to its defaults."""
    return yaml.safe_dump(_written(document), sort_keys=False, allow_unicode=True, width=100)


def _written(value: Any) -> Any:
    match value:
        case BaseModel():
            return {
                name: _written(getattr(value, name))
                for name, field in type(value).model_fields.items()
                if getattr(value, name) != field.get_default(call_default_factory=True)
            }
        case dict():
            return {key: _written(each) for key, each in value.items()}
        case tuple() | list():
            return [_written(each) for each in value]
        case timedelta():
            return durationpy.to_str(value)
        case str():
            # A member of an enumeration, too, is plain text in the file.
            return str.__str__(value)
        case _:
            return value
