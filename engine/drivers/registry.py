"""The drivers by name. The driver `plugin` stands for all that plugins offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engine.drivers.config import parse_config
from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.plugin import PluginDriver
from engine.drivers.protocol import Driver
from engine.errors import InputError
from engine.model.base import Json

_BUILT_IN: Final[Mapping[str, Callable[[], Driver]]] = {
    DirectoryDriver.name: DirectoryDriver,
    PluginDriver.name: PluginDriver,
}


def names() -> tuple[str, ...]:
    """The names of all known drivers, sorted."""
    return tuple(sorted(_BUILT_IN))


def get(name: str) -> Driver:
    """The driver called `name`.

    Raises:
        InputError: the field is `driver`: no driver has this name.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    raise InputError("driver", f"{name!r} is not known", f"use one of: {', '.join(names())}")


driver = get
"""The same as `get`, for callers that import the function by its name alone."""


def check_config(name: str, config: Mapping[str, Json]) -> None:
    """Check a target's `config:` against what the driver called `name` takes.

    A plugin is installed beside the agent and need not be here; so what it takes is checked there,
    before each call.

    Raises:
        InputError: the field is `driver`, or `config.<path>` of the first thing that is wrong.
    """
    parse_config(get(name).config, config)
