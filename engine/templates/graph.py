"""Which nodes come before which."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.template import Node, Template


def upstream(template: Template, node_id: str) -> frozenset[str]:
    """The ids of all nodes that end before the node `node_id` starts: its needs and theirs."""
    needs = {node.id: node.needs for node in template.nodes}
    found: set[str] = set()
    open_ = list(needs.get(node_id, ()))
    while open_:
        need = open_.pop()
        if need not in found:
            found.add(need)
            open_ += needs.get(need, ())
    return frozenset(found - {node_id})


def waves(nodes: Sequence[Node]) -> tuple[tuple[Node, ...], ...]:
    """The nodes in groups, each as early as its needs allow when all take equally long.

    Args:
        nodes: without cycles, each need among them.
    """
    rank: dict[str, int] = {}
    left = list(nodes)
    groups: list[tuple[Node, ...]] = []
    while left:
        wave = tuple(node for node in left if all(need in rank for need in node.needs))
        if not wave:
            raise ValueError(f"the nodes have a cycle: {[node.id for node in left]}")
        rank.update(dict.fromkeys((node.id for node in wave), len(groups)))
        groups.append(wave)
        left = [node for node in left if node.id not in rank]
    return tuple(groups)
