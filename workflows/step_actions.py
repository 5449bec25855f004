"""What people have done to the steps of a run: had one tried again, let one go on."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.model.operation import StepAction
    from workflows import waiting


class StepActions:
    """The actions of one kind, by the node that they are meant for."""

    def __init__(self) -> None:
        self._taken: dict[str, list[StepAction]] = {}

    def add(self, action: StepAction) -> None:
        """Take an action; nothing happens unless its node waits for one."""
        self._taken.setdefault(action.node, []).append(action)

    async def next(self, node_id: str, until: datetime | None, summary: str) -> StepAction | None:
        """The next action on a node from now on, or None when `until` comes first.

        Args:
            until: None for never.
            summary: what the timer is for, in the Temporal UI.
        """
        seen = len(self._taken.get(node_id, ()))
        timeout: timedelta | None = None
        if until is not None:
            timeout = max(timedelta(0), until - workflow.now())
        if not await waiting.until(
            lambda: len(self._taken.get(node_id, ())) > seen, timeout, summary
        ):
            return None
        return self._taken[node_id][seen]
