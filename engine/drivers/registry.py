"""The drivers by name: the built-in ones, and those that other distributions bring.

A distribution adds a driver by an entry point in the group `promotion_engine.drivers`, whose name
is the driver's and whose value is a class that follows `engine.drivers.protocol.Driver` and is
made without arguments
(https://packaging.python.org/en/latest/specifications/entry-points/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from engine.drivers.config import parse_config
from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import Driver
from engine.errors import InputError
from engine.model.base import Document, Json

ENTRY_POINT_GROUP: Final = "promotion_engine.drivers"

_BUILT_IN: Final[Mapping[str, Callable[[], Driver]]] = {DirectoryDriver.name: DirectoryDriver}


def names() -> tuple[str, ...]:
    """The names of all known drivers, sorted."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in _entry_points())}))


def get(name: str) -> Driver:
    """The driver called `name`. A built-in one cannot be replaced by an entry point.

    Raises:
        InputError: the field is `driver`: no driver has this name, or the one that has cannot be
            loaded.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    for point in _entry_points():
        if point.name == name:
            return _load(point)
    raise InputError("driver", f"{name!r} is not known", f"use one of: {', '.join(names())}")


driver = get
"""The same as `get`, for callers that import the function by its name alone."""


def check_config(name: str, config: Mapping[str, Json]) -> None:
    """Check a target's `config:` against what the driver called `name` takes.

    Raises:
        InputError: the field is `driver`, or `config.<path>` of the first thing that is wrong.
    """
    parse_config(get(name).config, config)


def _entry_points() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _load(point: EntryPoint) -> Driver:
    remedy = f"repair or remove the distribution that provides {point.value}"
    try:
        candidate: object = point.load()()
    except Exception as error:
        # Any code may run while a plug-in loads, so any error may come out of it.
        problem = f"{point.name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise InputError("driver", problem, remedy) from error
    config = getattr(candidate, "config", None)
    methods = ("pull", "deploy", "health_check")
    if (
        getattr(candidate, "name", None) != point.name
        or not (isinstance(config, type) and issubclass(config, Document))
        or not all(callable(getattr(candidate, method, None)) for method in methods)
    ):
        raise InputError("driver", f"{point.name!r} is not a driver of that name", remedy)
    return cast("Driver", candidate)
