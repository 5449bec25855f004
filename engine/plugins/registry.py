"""Which plugins there are.

A plugin in Python is an installed distribution's entry point in the group
`promotion_engine.plugins`, whose name is the plugin's id and whose object follows
`engine.plugins.protocol.Plugin`, or is a class that makes such an object without arguments
(https://packaging.python.org/en/latest/specifications/entry-points/).

An executable plugin is a file in one of the directories of PROMOTE_PLUGINS, whose name without its
ending is the plugin's id. What it offers is asked of it once for each content of the file.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from engine.config import load_settings
from engine.errors import InputError, PluginError
from engine.model.base import Json
from engine.model.problem import merged, problems_of
from engine.plugins import schema
from engine.plugins.calls import Calls, Unrecorded
from engine.plugins.executable import Executable
from engine.plugins.inprocess import InProcess, origin
from engine.plugins.protocol import (
    Call,
    Context,
    Description,
    Kind,
    Method,
    Offer,
    OfferKind,
)

ENTRY_POINT_GROUP = "promotion_engine.plugins"

DESCRIBE_LIMIT = timedelta(seconds=10)
"""How long a program may take to say what it offers."""


class Runner(Protocol):
    """What carries out calls, in whichever way."""

    async def ask(
        self, call: Call, limit: timedelta, heartbeat: Callable[[], None]
    ) -> dict[str, Json]:
        """The result of one call; raises `PluginError`."""
        ...


@dataclass(frozen=True)
class Installed:
    """A plugin that can be called.

    Attributes:
        origin: the distribution, or the path of the file.
        digest: of the executable's file; None for a plugin in Python.
    """

    kind: Kind
    origin: str
    description: Description
    runner: Runner
    digest: str | None = None

    @property
    def id(self) -> str:
        """The plugin's id."""
        return self.description.id

    def offer(self, kind: OfferKind, name: str | None) -> Offer:
        """What it offers of a kind under a name; without a name, the only one of the kind.

        Raises:
            InputError: there is none, or there are several; the field is `offer`.
        """
        offers = {offer.name: offer for offer in self.description.offers if offer.kind is kind}
        if not offers:
            raise InputError("plugin", f"{self.id!r} offers no {kind.value}", "name another one")
        known = f"its offers of that kind: {', '.join(sorted(offers))}"
        if name is None and len(offers) > 1:
            raise InputError("offer", f"is missing, and {self.id!r} offers several", known)
        if name is not None and name not in offers:
            raise InputError("offer", f"{self.id!r} offers no {kind.value} {name!r}", known)
        return offers[name] if name is not None else next(iter(offers.values()))


_described: dict[tuple[str, str], Description] = {}
"""What executables offer, by id and digest."""


def names() -> tuple[str, ...]:
    """The ids of all plugins, sorted. None is imported or run for it.

    Raises:
        InputError: a directory of PROMOTE_PLUGINS cannot be read.
    """
    return tuple(sorted({*entry_points(group=ENTRY_POINT_GROUP).names, *_files()}))


def get(id: str) -> Installed:
    """The plugin called `id`, for code that cannot wait; `find` is for the rest.

    Raises:
        InputError: as `find`.
    """
    # In a thread, since the caller may be inside of an event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, find(id, Unrecorded())).result()


async def find(id: str, calls: Calls) -> Installed:
    """The plugin called `id`.

    Raises:
        InputError: there is none, there are several, or it is unusable; the field is `plugin`.
    """
    points = tuple(entry_points(group=ENTRY_POINT_GROUP, name=id))
    files = _files().get(id, ())
    sources = [*(origin(point) for point in points), *(str(path) for path in files)]
    if not sources:
        known = f"known plugins: {', '.join(names()) or 'none'}"
        raise InputError("plugin", f"no plugin is called {id!r}", known)
    if len(sources) > 1:
        raise InputError("plugin", f"{' and '.join(sorted(sources))} are both {id!r}", "remove one")
    if points:
        return await asyncio.to_thread(_in_process, points[0])
    return await at(files[0], calls)


async def at(path: Path, calls: Calls) -> Installed:
    """The executable plugin that is the file `path`.

    Raises:
        InputError: it cannot be read or run, or does not say what it offers.
    """
    runner = Executable(path)
    digest = await asyncio.to_thread(lambda: runner.digest)
    key = path.stem, digest
    if key not in _described:
        _described[key] = await _ask(runner, path.stem, calls)
    return Installed(Kind.EXECUTABLE, str(path), _described[key], runner, digest)


def _in_process(point: EntryPoint) -> Installed:
    runner = InProcess(point)
    description = runner.describe()
    _check(description, point.name, origin(point))
    return Installed(Kind.PYTHON, origin(point), description, runner)


async def _ask(runner: Executable, id: str, calls: Calls) -> Description:
    call = Call(
        method=Method.DESCRIBE,
        context=Context(key="describe", deadline=datetime.now(UTC) + DESCRIBE_LIMIT),
    )
    where = str(runner.path)
    try:
        with calls.calling(id, Method.DESCRIBE, ""):
            answer = await runner.ask(call, DESCRIBE_LIMIT, calls.heartbeat)
    except PluginError as error:
        raise _unusable(id, where, f"describe: {error}") from error
    try:
        description = Description.model_validate(answer)
    except ValidationError as error:
        problem = merged("describe", problems_of(error, answer, "describe"))
        raise _unusable(id, where, f"{problem.field}: {problem.problem}") from error
    _check(description, id, where)
    return description


def _check(description: Description, id: str, where: str) -> None:
    if description.id != id:
        raise _unusable(id, where, f"it calls itself {description.id!r}")
    for offer in description.offers:
        wrong = schema.fault(offer.input_schema)
        if wrong:
            raise _unusable(
                id, where, f"the schema of its {offer.kind.value} {offer.name}: {wrong}"
            )


def _unusable(id: str, where: str, problem: str) -> InputError:
    return InputError(
        "plugin", f"{id!r} of {where} cannot be used: {problem}", "correct or remove that plugin"
    )


def _files() -> dict[str, tuple[Path, ...]]:
    """The executable files of all directories, by id."""
    found: dict[str, tuple[Path, ...]] = {}
    for directory in load_settings().plugins:
        try:
            with os.scandir(directory) as entries:
                paths = sorted(Path(entry.path) for entry in entries if _is_plugin(entry))
        except OSError as error:
            problem = f"cannot read {directory}: {error.strerror}"
            raise InputError("PROMOTE_PLUGINS", problem, "name directories that exist") from error
        for path in paths:
            found[path.stem] = (*found.get(path.stem, ()), path.absolute())
    return found


def _is_plugin(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        # A link that leads nowhere.
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)
