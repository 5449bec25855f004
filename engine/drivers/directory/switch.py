"""Switching the active release: once for real, and once in the journal.

The intent goes to disk first, then the link, then the journal, then the state without the intent.
Whoever comes after a crash finds the intent, and the link says whether the switch took place: if
so the journal is completed, which knows its own last line, and if not the intent is dropped.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from engine.drivers.directory.durable import append_line_once, link_atomically
from engine.drivers.directory.layout import TargetDirectory, hex_of
from engine.drivers.directory.state import Switch, TargetState, save_state
from engine.model.agent_task import AgentTask, RunningVersion


def settle(directory: TargetDirectory, state: TargetState) -> TargetState:
    """Finish or forget a switch that was cut off."""
    if state.pending is None:
        return state
    if directory.active_digest() == state.pending.to.digest:
        return _commit(directory, state, state.pending)
    return save_state(directory, state.model_copy(update={"pending": None}))


def switch(
    directory: TargetDirectory, state: TargetState, task: AgentTask, to: RunningVersion
) -> TargetState:
    """Make `to`, which is unpacked, the active release."""
    intent = Switch(
        task_id=task.id,
        promotion_id=task.promotion_id,
        to=to,
        from_digest=directory.active_digest(),
        at=datetime.now(UTC),
    )
    intended = save_state(directory, state.model_copy(update={"pending": intent}))
    link_atomically(directory.current, Path(directory.releases.name, hex_of(to.digest)))
    return _commit(directory, intended, intent)


def _commit(directory: TargetDirectory, state: TargetState, done: Switch) -> TargetState:
    append_line_once(directory.journal, _journal_line(done))
    return save_state(
        directory,
        state.model_copy(
            update={
                "running": done.to,
                "previous": state.running,
                "pending": None,
                "restart_due": True,
            }
        ),
    )


def _journal_line(done: Switch) -> bytes:
    entry = {
        "task_id": str(done.task_id),
        "promotion_id": str(done.promotion_id),
        "release": done.to.release,
        "component": done.to.component,
        "from": done.from_digest,
        "to": done.to.digest,
        "at": done.at.isoformat(),
    }
    return json.dumps(entry).encode()
