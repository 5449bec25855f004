"""docker-compose.yml as Docker Compose reads it: with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

# https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """`value` with `${NAME}` and `${NAME:-default}` replaced in all its strings."""
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(
        lambda found: (
            "$" if found["dollar"] else variables.get(found["name"]) or found["default"] or ""
        ),
        value,
    )


def variables_of(text: str) -> set[str]:
    """The names of the variables that are to be filled in."""
    return {found["name"] for found in _VARIABLE.finditer(text) if found["name"]}


def services(**variables: str) -> dict[str, dict[str, Any]]:
    """The services by name."""
    read: dict[str, dict[str, Any]] = interpolated(load()["services"], variables)
    return read


def load() -> dict[str, Any]:
    """The file as it is written, with its anchors merged."""
    read: dict[str, Any] = YAML(typ="safe").load(FILE)
    return read


def ours(found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the services that run our image."""
    return {name: service for name, service in found.items() if "build" in service}
