"""In which order the nodes of a template run: a state machine that is told of starts and ends.

A node starts once all that it needs has succeeded, was skipped because its condition did not hold,
or has failed with `on_failure: continue`. A failure with `on_failure: fail` or `rollback` ends the
run, as a cancellation does: what is running may end, nothing else starts. With `rollback`, what had
succeeded is then taken back, the last to end first.

The decisions depend on nothing but the order of the ends, so the same ends give the same run.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.execution import StepStatus
from engine.model.template import Node, OnFailure, Template

_ENDS = frozenset(
    {StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
)


class Schedule:
    """One run of a template.

    Args:
        template: a valid one (see `engine.templates.validate`).
        ended: nodes that need not run any more, in the order of their ends: those that a run
            before this one has done.
    """

    def __init__(self, template: Template, ended: Mapping[str, StepStatus] | None = None) -> None:
        self._template = template
        self._nodes = {node.id: node for node in template.nodes}
        self._ended: dict[str, StepStatus] = {}
        self._running: set[str] = set()
        # How much a node still waits for, so that an end costs as much as it has followers.
        self._open_needs = {node.id: len(set(node.needs)) for node in template.nodes}
        self._followers: dict[str, list[str]] = {node.id: [] for node in template.nodes}
        for node in template.nodes:
            for need in set(node.needs):
                self._followers[need].append(node.id)
        for node_id, status in (ended or {}).items():
            self._take(node_id, status)

    @property
    def ended(self) -> Mapping[str, StepStatus]:
        """How nodes have ended, in the order of their ends."""
        return self._ended

    @property
    def running(self) -> frozenset[str]:
        """The nodes that have begun and have not ended."""
        return frozenset(self._running)

    @property
    def failed(self) -> Node | None:
        """The node whose failure ended the run: the first of the template's order; or None."""
        return next((node for node in self._template.nodes if self._ends_the_run(node)), None)

    @property
    def is_over(self) -> bool:
        """Whether nothing else starts."""
        return self.failed is not None or StepStatus.CANCELLED in self._ended.values()

    def begin(self) -> tuple[Node, ...]:
        """The nodes that start now, in the template's order. Each is given once."""
        if self.is_over:
            return ()
        starting = tuple(
            node
            for node in self._template.nodes
            if not self._open_needs[node.id]
            and node.id not in self._running
            and node.id not in self._ended
        )
        self._running.update(node.id for node in starting)
        return starting

    def end(self, node_id: str, status: StepStatus) -> None:
        """Take note of the end of a node that has begun.

        Raises:
            ValueError: it has not begun, has ended already, or the status is no end.
        """
        if node_id not in self._running:
            raise ValueError(f"node {node_id!r} is not running")
        self._running.remove(node_id)
        self._take(node_id, status)

    def unstarted(self) -> tuple[Node, ...]:
        """The nodes that have not begun, in the template's order."""
        return tuple(
            node
            for node in self._template.nodes
            if node.id not in self._ended and node.id not in self._running
        )

    def compensations(self) -> tuple[Node, ...]:
        """The nodes whose work is to be taken back, in that order; none unless a failure says so.

        Every node that has ended counts, so it is to be asked once nothing runs any more.
        """
        if not any(
            self._ends_the_run(node) and node.on_failure is OnFailure.ROLLBACK
            for node in self._template.nodes
        ):
            return ()
        succeeded = (
            self._nodes[node_id]
            for node_id, status in reversed(self._ended.items())
            if status is StepStatus.SUCCEEDED
        )
        return tuple(node for node in succeeded if node.on_rollback is not None)

    def _take(self, node_id: str, status: StepStatus) -> None:
        if node_id not in self._nodes or node_id in self._ended or status not in _ENDS:
            raise ValueError(f"node {node_id!r} cannot end with {status}")
        self._ended[node_id] = status
        if self._passes(self._nodes[node_id]):
            for follower in self._followers[node_id]:
                self._open_needs[follower] -= 1

    def _passes(self, node: Node) -> bool:
        status = self._ended.get(node.id)
        tolerated = status is StepStatus.FAILED and node.on_failure is OnFailure.CONTINUE
        return tolerated or status in (StepStatus.SUCCEEDED, StepStatus.SKIPPED)

    def _ends_the_run(self, node: Node) -> bool:
        failed = self._ended.get(node.id) is StepStatus.FAILED
        return failed and node.on_failure is not OnFailure.CONTINUE


def downstream(template: Template, node_id: str) -> frozenset[str]:
    """The nodes that run again when the node `node_id` does: itself, and all that need it."""
    again = {node_id}
    while more := {node.id for node in template.nodes if again.intersection(node.needs)} - again:
        again |= more
    return frozenset(again)
