"""How much a call does, in a measure that no other load on the machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any


def work_of(call: Callable[[], object]) -> int:
    """The number of function calls and returns that `call` makes, until it ends or is refused."""
    events = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal events
        events += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with suppress(ValueError):
            call()
    finally:
        sys.setprofile(before)
    return events
