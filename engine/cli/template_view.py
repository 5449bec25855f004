"""Templates as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import durationpy
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.templates.plan import Plan, PlannedNode, Source

if TYPE_CHECKING:
    from engine.model.template import Template
    from engine.store.rows import TemplateRow


def plan_view(plan: Plan) -> RenderableType:
    """The plan: its parameters, and the nodes in the order in which they can run."""
    parts: list[RenderableType] = [
        Text(f"template {plan.template}@{plan.version}  {plan.digest}"),
    ]
    if plan.description:
        parts.append(Text(plan.description))
    if plan.parameters:
        table = _table("parameter", "type", "value", "from", "")
        for each in plan.parameters:
            is_open = each.source is Source.NOWHERE
            value = "has to be given" if is_open else json.dumps(each.value, ensure_ascii=False)
            table.add_row(each.name, each.type.value, value, each.source.value, each.description)
        parts.append(table)
    nodes = _table("wave", "node", "type", "needs", "runs", "")
    for number, wave in enumerate(plan.waves, start=1):
        for at, node in enumerate(wave):
            nodes.add_row(
                "" if at else str(number),
                node.id,
                node.type,
                ", ".join(node.needs),
                _when(node),
                _more(node),
            )
    return Group(*parts, nodes)


def templates_view(built_in: Sequence[Template], applied: Sequence[TemplateRow]) -> RenderableType:
    """All templates, those that were applied first."""
    table = _table("template", "version", "applied", "")
    for row in applied:
        moment = row.applied_at.isoformat(timespec="seconds")
        template = row.template
        table.add_row(template.name, template.version, moment, template.description)
    for template in built_in:
        table.add_row(template.name, template.version, "built in", template.description)
    return table


def _when(node: PlannedNode) -> str:
    if not node.conditions:
        return "always"
    told = [
        f"if {each.when}" + (f" (of {each.include})" if each.include else "")
        for each in node.conditions
    ]
    return "\n".join(told)


def _more(node: PlannedNode) -> str:
    told = [f"at most {durationpy.to_str(node.timeout)}"]
    if node.attempts > 1:
        told.append(f"{node.attempts} attempts")
    if node.on_failure.value != "fail":
        told.append(f"when it fails: {node.on_failure.value}")
    if node.taken_back_by is not None:
        told.append(f"taken back by {node.taken_back_by}")
    return ", ".join(told)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
