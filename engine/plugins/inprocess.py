"""Plugins in Python: entry points of installed distributions, called in threads of their own.

Each call has a thread and an event loop of its own, so that a plugin that blocks keeps nobody but
itself waiting. Python cannot stop a thread: what blocks for longer than its time goes on without
anybody waiting for it, and a plugin of which too many calls do that is not called any more.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import EntryPoint
from typing import Any, cast

from engine.actions.heartbeat import beating
from engine.errors import InputError, PluginError
from engine.model.base import Json
from engine.plugins.executable import refused
from engine.plugins.protocol import (
    MAX_ANSWER_BYTES,
    Call,
    Description,
    Plugin,
    RefusedError,
)

GRACE = 1.0
"""Seconds that a plugin may take to end after it was told to."""

MOST_LEFT = 8
"""Calls of one plugin that may go on after their time."""

_left: dict[str, set[threading.Thread]] = {}


class InProcess:
    """An object that follows `engine.plugins.protocol.Plugin`, and the entry point it came from."""

    def __init__(self, point: EntryPoint) -> None:
        self.point = point
        self.plugin = _load(point)

    def describe(self) -> Description:
        """What the plugin says of itself.

        Raises:
            InputError: it fails, or says something else.
        """
        try:
            described: object = self.plugin.describe()
        except Exception as error:
            # It is other people's code.
            raise _unusable(self.point, f"describe: {type(error).__name__}: {error}") from error
        if not isinstance(described, Description):
            raise _unusable(self.point, "its `describe` does not return a Description")
        return described

    async def ask(
        self, call: Call, limit: timedelta, heartbeat: Callable[[], None]
    ) -> dict[str, Json]:
        """Carry out one call in a thread of its own.

        Raises:
            PluginError: there is no usable answer.
        """
        name, seconds = self.point.name, limit.total_seconds()
        left = _left.setdefault(name, set())
        left.difference_update([thread for thread in left if not thread.is_alive()])
        if len(left) >= MOST_LEFT:
            raise PluginError(f"{len(left)} earlier calls still go on past their time")
        work = _Work(self.plugin, call, seconds)
        try:
            async with beating(heartbeat):
                answer = await work.done(seconds + GRACE)
        finally:
            if not work.answered:
                work.cancel()
                left.add(work.thread)
        return _plain(answer)


class _Work:
    """One call on its way through a thread."""

    def __init__(self, plugin: Plugin, call: Call, seconds: float) -> None:
        self._plugin = plugin
        self._call = call
        self._seconds = seconds
        self._waiting = asyncio.get_running_loop()
        self._answer: asyncio.Future[object] = self._waiting.create_future()
        self._inner: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        # A daemon: a call that hangs must not keep the process from ending.
        self.thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._run,),
            name=f"plugin-{call.method}",
            daemon=True,
        )
        self.thread.start()

    @property
    def answered(self) -> bool:
        """Whether the plugin returned or raised, in time or not."""
        return self._answer.done() and not self._answer.cancelled()

    async def done(self, seconds: float) -> object:
        """What the plugin returned, or a `PluginError`."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._answer)
        except TimeoutError:
            raise PluginError(
                f"did not answer within {self._seconds:g} s, and cannot be stopped"
            ) from None

    def cancel(self) -> None:
        """Tell the call that nobody waits for it any more."""
        if self._inner is not None:
            loop, task = self._inner
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def _run(self) -> None:
        try:
            answer = asyncio.run(self._bounded())
        except BaseException as error:
            # Whatever other people's code raises is for whoever waits.
            self._tell(self._answer.set_exception, _translated(error))
        else:
            self._tell(self._answer.set_result, answer)

    async def _bounded(self) -> object:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for mypy; this is a coroutine
        self._inner = (asyncio.get_running_loop(), task)
        bound = asyncio.timeout(self._seconds)
        try:
            async with bound:
                return await self._plugin.call(self._call)
        except TimeoutError:
            if bound.expired():
                raise PluginError(f"did not answer within {self._seconds:g} s") from None
            raise

    def _tell(self, how: Callable[[Any], None], what: object) -> None:
        def tell() -> None:
            if not self._answer.done():
                how(what)

        with suppress(RuntimeError):
            # The loop that waited may have been closed meanwhile.
            self._waiting.call_soon_threadsafe(tell)


def _translated(error: BaseException) -> PluginError:
    if isinstance(error, PluginError):
        return error
    if isinstance(error, RefusedError):
        return refused(error.refusal)
    if isinstance(error, asyncio.CancelledError):
        return PluginError("was cancelled")
    return PluginError(f"failed with {type(error).__name__}: {error}")


def _plain(answer: object) -> dict[str, Json]:
    if not isinstance(answer, dict):
        told = type(answer).__name__
        raise PluginError(f"returned a {told} and no dict", retryable=False)
    try:
        text = json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginError(f"returned what has no JSON form: {error}", retryable=False) from error
    if len(text) > MAX_ANSWER_BYTES:
        size = MAX_ANSWER_BYTES // 1024
        raise PluginError(f"returned more than {size} KiB", retryable=False)
    return cast("dict[str, Json]", json.loads(text))


def _load(point: EntryPoint) -> Plugin:
    try:
        loaded = point.load()
        plugin = loaded() if inspect.isclass(loaded) else loaded
    except Exception as error:
        # Any code may run while it loads, so any error may come out of it.
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not callable(getattr(plugin, "describe", None)):
        raise _unusable(point, "it has no method `describe`")
    if not inspect.iscoroutinefunction(getattr(plugin, "call", None)):
        raise _unusable(point, "its `call` is no async method")
    return cast("Plugin", plugin)


def origin(point: EntryPoint) -> str:
    """The distribution that brings it."""
    return point.dist.name if point.dist is not None else point.value


def _unusable(point: EntryPoint, problem: str) -> InputError:
    return InputError(
        "plugin",
        f"{point.name!r} of {origin(point)} cannot be used: {problem}",
        "correct or uninstall that plugin",
    )
