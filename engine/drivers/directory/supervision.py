"""All services of an agent at once: when the agent starts, and when its host is to be quiet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.drivers.directory.background import in_thread
from engine.drivers.directory.layout import TargetDirectory
from engine.drivers.directory.process import stop
from engine.drivers.directory.service import is_running, load_record, start
from engine.errors import PromotionEngineError

_log = logging.getLogger(__name__)


async def start_services(root: Path) -> list[str]:
    """Start the services below an agent's root that should run and do not, as after a reboot.

    One that cannot be started is logged, and the others are started all the same.

    Returns:
        The names of the targets whose service was started, sorted.
    """
    return await _for_each(root, _start, "start")


async def stop_services(root: Path) -> list[str]:
    """Stop the services below an agent's root; `start_services` brings them back.

    One that cannot be stopped is logged, and the others are stopped all the same.

    Returns:
        The names of the targets whose service was stopped, sorted.
    """
    return await _for_each(root, _stop, "stop")


async def _for_each(root: Path, work: Callable[[TargetDirectory], bool], verb: str) -> list[str]:
    directories = await in_thread(partial(_with_service, root))

    async def one(directory: TargetDirectory) -> str | None:
        try:
            async with directory.locked():
                done = await in_thread(partial(work, directory))
        except (PromotionEngineError, OSError) as error:
            _log.warning("cannot %s the service of %s: %s", verb, directory.path.name, error)
            return None
        return directory.path.name if done else None

    names = await asyncio.gather(*(one(directory) for directory in directories))
    return [name for name in names if name is not None]


def _with_service(root: Path) -> list[TargetDirectory]:
    found = sorted(root.glob("*/service.json"))
    return [TargetDirectory.of(root, path.parent.name) for path in found]


def _start(directory: TargetDirectory) -> bool:
    record = load_record(directory)
    if record is None or is_running(record):
        return False
    start(directory, record)
    return True


def _stop(directory: TargetDirectory) -> bool:
    record = load_record(directory)
    return record is not None and record.process is not None and stop(record.process)
