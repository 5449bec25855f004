"""What a node's expressions come to when it starts.

A node sees `promotion`, `release`, `environment`, `now`, `params`, and under `nodes` the nodes of
its own template that it needs, directly or through others, with their `status` and `outputs`. What
runs beside it is not among them, so that it makes no difference which of two was faster.

A node that came out of an include carries the chain of its includes, `Node.within`. From the
outermost in, each gives the scope inside of it: its `params` are what the include was given,
evaluated in the scope around it, and its `nodes` those of the included template by their own ids.
So nothing is rewritten in an expression's text, and an error shows the text that somebody wrote.

Pure functions, but not for workflow code: CEL runs natively, so a node is rendered in an activity.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.errors import InputError
from engine.expressions.interpolation import has_expressions, parts_of
from engine.expressions.language import Kind, Scope, compiled
from engine.expressions.messages import promotion_values
from engine.model.base import Json
from engine.model.execution import StepResult
from engine.model.promotion import PromotionSnapshot
from engine.model.template import Enclosure, Node
from engine.templates.graph import upstream
from engine.templates.parameters import check_value

MAX_INPUT_BYTES = 64 * 1024
"""The longest that a node's inputs may become, as JSON."""

MAX_VALUE_DEPTH = 64
"""How deep an input may be nested."""


@dataclass(frozen=True)
class Variables:
    """What the expressions of a run can speak of at one moment.

    Attributes:
        params: the template's parameters, all of them.
        steps: the latest result of each node that has ended.
    """

    promotion: PromotionSnapshot
    params: Mapping[str, Json]
    steps: Mapping[str, StepResult]
    now: datetime


def variables_of(
    promotion: PromotionSnapshot,
    params: Mapping[str, Json],
    steps: Iterable[StepResult],
    now: datetime,
) -> Variables:
    """The variables of a promotion's run.

    Args:
        params: `promotion.parameters`, unless somebody asks what others would come to.
        steps: those that have ended; of several results of one node the last counts, and those of
            compensations do not count.
        now: the moment at which the node starts.
    """
    ended = {step.node_id: step for step in steps if step.compensates is None}
    return Variables(promotion, params, ended, now)


def render_inputs(node: Node, variables: Variables) -> dict[str, Json]:
    """The node's inputs with all expressions evaluated.

    Text that is one `${{ … }}` and nothing else becomes the value with its type. In other text the
    value is written out: text as it is, anything else as JSON. `$${{` stands for `${{`. Keys are
    taken as they are.

    Raises:
        InputError: an expression comes to nothing, or the inputs grow beyond `MAX_INPUT_BYTES`;
            names `nodes.<id>.inputs.<path>`.
    """
    inside = _scope(node, variables, itself=False)
    return _rendered(node.inputs, inside, f"nodes.{node.id}.inputs")


def render_compensation(node: Node, variables: Variables) -> dict[str, Json]:
    """As `render_inputs`, for the inputs of the node's `on_rollback`, which sees the node too.

    Raises:
        InputError: as for `render_inputs`, naming `nodes.<id>.on_rollback.inputs.<path>`; or the
            node has no `on_rollback`.
    """
    if node.on_rollback is None:
        raise InputError(f"nodes.{node.id}.on_rollback", "there is none")
    inside = _scope(node, variables, itself=True)
    field = f"nodes.{node.id}.on_rollback.inputs"
    return _rendered(node.on_rollback.inputs, inside, field)


def holds(node: Node, variables: Variables) -> bool:
    """Whether the node is to run: its own `when` and those of its includes, the outermost first.

    The first that does not hold ends the question, so that an inner one may rely on the outer.

    Raises:
        InputError: a condition comes to nothing; names `nodes.<id>.when`.
    """
    scope = _outermost(node, variables, itself=False)
    prefix = ""
    for enclosure in node.within:
        prefix = f"{prefix}.{enclosure.node}" if prefix else enclosure.node
        if not _is_true(enclosure.when, scope, f"nodes.{prefix}.when"):
            return False
        scope = _entered(scope, enclosure, f"nodes.{prefix}.inputs.parameters")
    return _is_true(node.when, scope, f"nodes.{node.id}.when")


_Scope = Mapping[str, Any]


def _scope(node: Node, variables: Variables, *, itself: bool) -> _Scope:
    """The variables that the node's own expressions see."""
    scope = _outermost(node, variables, itself=itself)
    prefix = ""
    for enclosure in node.within:
        prefix = f"{prefix}.{enclosure.node}" if prefix else enclosure.node
        scope = _entered(scope, enclosure, f"nodes.{prefix}.inputs.parameters")
    return scope


def _outermost(node: Node, variables: Variables, *, itself: bool) -> _Scope:
    visible = set(upstream(variables.promotion.environment.template, node.id))
    if itself:
        visible.add(node.id)
    return {
        **promotion_values(variables.promotion),
        "params": dict(variables.params),
        "nodes": {
            node_id: {"status": step.status.value, "outputs": step.outputs}
            for node_id, step in variables.steps.items()
            if node_id in visible
        },
        "now": variables.now,
    }


def _entered(around: _Scope, enclosure: Enclosure, field: str) -> _Scope:
    """The scope inside of an include."""
    prefix = f"{enclosure.node}."
    nodes: Mapping[str, Json] = around["nodes"]
    # What the include is given must not depend on which of its own nodes asks.
    outside = {
        **around,
        "nodes": {name: node for name, node in nodes.items() if not name.startswith(prefix)},
    }
    params = dict(enclosure.parameters)
    for name, declared in enclosure.declared.items():
        value = _value(params[name], outside, f"{field}.{name}")
        check_value(f"{field}.{name}", declared, value)
        params[name] = value
    return {
        **around,
        "params": params,
        "nodes": {
            name.removeprefix(prefix): node
            for name, node in nodes.items()
            if name.startswith(prefix)
        },
    }


def _is_true(when: str, scope: _Scope, field: str) -> bool:
    return not when or _evaluated(when, scope, field, Kind.BOOL) is True


def _rendered(inputs: Mapping[str, Json], scope: _Scope, field: str) -> dict[str, Json]:
    rendered = {key: _value(value, scope, f"{field}.{key}") for key, value in inputs.items()}
    size = len(json.dumps(rendered, ensure_ascii=False).encode(errors="replace"))
    if size > MAX_INPUT_BYTES:
        problem = f"come to {size} bytes, and at most {MAX_INPUT_BYTES} are allowed"
        raise InputError(field, problem, "hand on less")
    return rendered


def _value(value: Json, scope: _Scope, field: str, depth: int = 0) -> Json:
    if depth > MAX_VALUE_DEPTH:
        raise InputError(field, "is nested too deeply", f"nest at most {MAX_VALUE_DEPTH}")
    if isinstance(value, str):
        return _text(value, scope, field)
    if isinstance(value, list):
        return [_value(x, scope, f"{field}[{i}]", depth + 1) for i, x in enumerate(value)]
    if isinstance(value, dict):
        return {key: _value(x, scope, f"{field}.{key}", depth + 1) for key, x in value.items()}
    return value


def _text(text: str, scope: _Scope, field: str) -> Json:
    if not has_expressions(text):
        return text
    parts = parts_of(text, field)
    if len(parts) == 1 and parts[0].is_expression:
        return _evaluated(parts[0].text, scope, field)
    return "".join(
        _written(_evaluated(part.text, scope, field)) if part.is_expression else part.text
        for part in parts
    )


def _evaluated(text: str, scope: _Scope, field: str, kind: Kind = Kind.ANY) -> Json:
    expression = compiled(text, Scope.NODE, kind, field)
    try:
        value = expression.evaluate(scope)
    except InputError as error:
        problem = f"{text!r} comes to nothing: {error.problem}"
        remedy = "where something may be missing write a.?b.orValue('')"
        raise InputError(field, problem, remedy) from error
    if kind is Kind.BOOL and not isinstance(value, bool):
        problem = f"{text!r} comes to {json.dumps(value)}, where true or false is needed"
        raise InputError(field, problem, "write a comparison")
    return value


def _written(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def without_escapes(value: Json) -> Json:
    """A value that holds no expressions as it is taken: with `${{` for `$${{`."""
    return _value(value, {}, "value")
