"""How two JSON values differ, as lines that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from engine.model.base import Json

_SHOWN = 60


def differences(before: Json, after: Json) -> list[str]:
    """One line for each place that differs: `~ path: old -> new`, `+ path: new`, `- path: old`.

    Lists whose items all have a `name` or an `id` are compared by it, others by position.
    """
    return list(_walk(before, after, ""))


def _walk(before: Json, after: Json, path: str) -> Iterator[str]:
    if before == after:
        return
    old, new = _entries(before), _entries(after)
    if old is None or new is None or isinstance(before, dict) is not isinstance(after, dict):
        yield f"~ {path}: {_shown(before)} -> {_shown(after)}"
        return
    for key in [*old, *(key for key in new if key not in old)]:
        inner = f"{path}{key}" if key.startswith("[") else f"{path}.{key}".lstrip(".")
        if key not in new:
            yield f"- {inner}: {_shown(old[key])}"
        elif key not in old:
            yield f"+ {inner}: {_shown(new[key])}"
        else:
            yield from _walk(old[key], new[key], inner)
    if list(old) != list(new) and set(old) == set(new) and isinstance(before, list):
        yield f"~ {path}: in another order"


def _entries(value: Json) -> Mapping[str, Json] | None:
    """The parts of a mapping or a list by how a path names them; None for a plain value."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        names = _names(value)
        return dict(zip(names, value, strict=True))
    return None


def _names(items: Sequence[Json]) -> list[str]:
    for key in ("name", "id"):
        names = [item.get(key) if isinstance(item, dict) else None for item in items]
        found = [name for name in names if isinstance(name, str) and name]
        if len(set(found)) == len(items):
            return [f"[{name}]" for name in found]
    return [f"[{index}]" for index in range(len(items))]


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
