"""Which nodes of a template may start, and which never will: pure functions over how others ended.

A node starts once all that it needs has succeeded, or has failed with `on_failure: continue`. A
failure with `on_failure: fail` ends the run: what is running may end, nothing else starts.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.execution import StepStatus
from engine.model.template import Node, OnFailure, Template


def ready(template: Template, ended: Mapping[str, StepStatus]) -> tuple[Node, ...]:
    """The nodes that may start now, in the template's order.

    Args:
        template: a valid one (see `engine.templates.validate`).
        ended: status by node id. A node that is missing, or pending, has not been started; one
            that is running or waiting is not started again, and holds back those that need it.
    """
    if _is_over(template, ended):
        return ()
    passed = _passed(template, ended)
    return tuple(node for node in _unstarted(template, ended) if passed.issuperset(node.needs))


def unreachable(template: Template, ended: Mapping[str, StepStatus]) -> tuple[Node, ...]:
    """The nodes that have not been started and never can be, in the template's order.

    The arguments are those of `ready`.
    """
    unstarted = _unstarted(template, ended)
    if _is_over(template, ended):
        return unstarted
    passed = _passed(template, ended)
    barred = {
        node_id
        for node_id, status in ended.items()
        if status in (StepStatus.FAILED, StepStatus.SKIPPED) and node_id not in passed
    }
    found = True
    while found:
        more = {node.id for node in unstarted if barred.intersection(node.needs)} - barred
        barred |= more
        found = bool(more)
    return tuple(node for node in unstarted if node.id in barred)


def _unstarted(template: Template, ended: Mapping[str, StepStatus]) -> tuple[Node, ...]:
    return tuple(
        node
        for node in template.nodes
        if ended.get(node.id, StepStatus.PENDING) is StepStatus.PENDING
    )


def _passed(template: Template, ended: Mapping[str, StepStatus]) -> set[str]:
    return {
        node.id
        for node in template.nodes
        if ended.get(node.id) is StepStatus.SUCCEEDED
        or (ended.get(node.id) is StepStatus.FAILED and node.on_failure is OnFailure.CONTINUE)
    }


def _is_over(template: Template, ended: Mapping[str, StepStatus]) -> bool:
    return any(
        ended.get(node.id) is StepStatus.CANCELLED
        or (ended.get(node.id) is StepStatus.FAILED and node.on_failure is OnFailure.FAIL)
        for node in template.nodes
    )
