"""A promotion's progress: drawn on a terminal, told in lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from engine.cli.console import is_live, out, say, stdout_console

if TYPE_CHECKING:
    from engine.model.promotion import PromotionState

Show = Callable[["PromotionState"], None]


@contextmanager
def progress(*, stdout_is_for_json: bool) -> Iterator[Show]:
    """What to call with each state of a promotion, while the block runs."""
    if stdout_is_for_json:
        yield Lines(say).show
    elif is_live():
        with _drawn() as show:
            yield show
    else:
        yield Lines(out).show


class Lines:
    """Tells of each state what is new in it, a line each, with the reader's time of day."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._told: set[str] = set()
        self._last = ""

    def show(self, state: PromotionState) -> None:
        """Tell what has changed since the last state."""
        for vote in state.votes:
            self._once(f"{vote.user} says {vote.decision.value}")
        for gate in state.gates:
            if gate.result is not None:
                self._once(
                    f"gate {gate.name}: {gate.result.outcome.value}", f": {gate.result.reason}"
                )
        for step in state.steps:
            if step.status != "pending":
                detail = f": {step.detail}" if step.detail else ""
                attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
                self._once(f"step {step.label}: {step.status}{attempt}", detail)
        if state.progress:
            self._once(state.progress)
        headline = state.status.value
        if state.failure is not None:
            headline += f": {state.failure.message}"
        elif state.waiting_for:
            headline += f": {state.waiting_for}"
        if headline != self._last:
            self._last = headline
            self._tell(headline)

    def _once(self, what: str, detail: str = "") -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(what + detail)

    def _tell(self, line: str) -> None:
        self._write(f"{datetime.now().astimezone():%H:%M:%S} {line}")


@contextmanager
def _drawn() -> Iterator[Show]:
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner

    from engine.cli.render import state_view

    with Live(console=stdout_console(), refresh_per_second=8) as live:

        def show(state: PromotionState) -> None:
            view = state_view(state)
            if not state.status.is_final:
                view = Group(view, Spinner("dots", text=state.status.value))
            live.update(view, refresh=True)

        yield show
