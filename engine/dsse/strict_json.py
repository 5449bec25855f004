"""Reading JSON that nobody vouches for yet.

Stricter than `json.loads`: UTF-8 only, no duplicate keys (two readers could each see another one of
them), no NaN or Infinity. RFC 8785 and I-JSON (https://www.rfc-editor.org/rfc/rfc7493) ask for the
same.
"""

from __future__ import annotations

import json
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from engine.errors import EvidenceError
from engine.model.base import Json

_Model = TypeVar("_Model", bound=BaseModel)
_SHOWN = 120


def read_object(data: bytes, what: str) -> dict[str, Json]:
    """The JSON object that `data` holds; `what` names the data in messages.

    Raises:
        EvidenceError: `data` is not JSON, or not an object.
    """
    try:
        value: Json = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{what} is not JSON: it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise EvidenceError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise EvidenceError(f"{what} is not usable JSON: it is nested too deeply") from error
    except ValueError as error:
        raise EvidenceError(f"{what} is not usable JSON: {error}") from error
    if not isinstance(value, dict):
        raise EvidenceError(f"{what} is not a JSON object")
    return value


def read_model(model: type[_Model], data: bytes, what: str) -> _Model:
    """`data`, which `read_object` has accepted, as a model, with JSON's own types and names only.

    Raises:
        EvidenceError: a field is missing or has the wrong type; the message names it.
    """
    try:
        return model.model_validate_json(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise EvidenceError(f"{what}: {main_problem(error)}") from error


def main_problem(error: ValidationError) -> str:
    """The problem that says most, as `gates.0.outcome: Field required`."""
    problems = error.errors(include_url=False, include_input=False)
    # A NaN fits no member of a union of types, and only this complaint says why.
    first = next((each for each in problems if each["type"] == "finite_number"), problems[0])
    path = ".".join(str(part) for part in first["loc"])
    return f"{path}: {first['msg']}" if path else first["msg"]


def shown(value: object) -> str:
    """`value` for a message: quoted, and cut off where it would flood the terminal."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {shown(key)} occurs twice in one object")
        result[key] = value
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
