"""Which gates an expression of another gate speaks of, and so has to wait for.

Gates run side by side, and an expression may speak of those that stand before its own. A freeze
window has its last word after all gates but the policies (see the workflow), so that of it, and of
a policy that waits for it, only policies may speak: others would wait for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from engine.errors import InputError
from engine.expressions.language import Kind, Scope, compiled
from engine.expressions.syntax import Reference, place_in, references
from engine.gates.protocol import GateContext
from engine.model.environment import Gate
from engine.model.spelling import suggestion

_LOOKS_LAST = "freeze_window"
_READS_RESULTS = "policy"


class Mistake(NamedTuple):
    """What is wrong with an expression, and what to do about it."""

    problem: str
    remedy: str


def needed(gate: Gate, gates: Sequence[Gate]) -> tuple[str, ...]:
    """The gates that have to have decided before the expressions of `gate` can be evaluated.

    One that speaks of the gates as a whole needs all of which it may speak.

    Args:
        gates: the environment's.
    """
    earlier = tuple(takewhile(lambda each: each.name != gate.name, gates))
    may = _speakable(gate, earlier)
    names: set[str] = set()
    for _, expression in expressions_of(gate):
        for mention in _mentions(expression):
            names |= may if mention.key is None else {mention.key}
    return tuple(each.name for each in earlier if each.name in names)


def still_undecided(context: GateContext) -> tuple[str, ...]:
    """Those of them that have not had their last word yet."""
    decided = {result.name for result in context.results}
    gates = context.promotion.environment.gates
    return tuple(name for name in needed(context.gate, gates) if name not in decided)


def mistakes(expression: str, gate: Gate, earlier: Sequence[Gate]) -> Iterator[Mistake]:
    """What is wrong with the gates that a checked expression of `gate` names.

    Args:
        earlier: the gates before it.
    """
    known = [each.name for each in earlier]
    may = _speakable(gate, earlier)
    for mention in _mentions(expression):
        place, name = place_in(expression, mention), mention.key
        if name is None or name in may:
            continue
        if name not in known:
            yield Mistake(
                f"{place}: no gate before this one is called {name!r}",
                suggestion(name, known, "gates before it"),
            )
        else:
            yield Mistake(
                f"{place}: {name!r} waits for this gate, and this gate would wait for it",
                "speak of it in a gate of the type policy",
            )


def _mentions(expression: str) -> Iterator[Reference]:
    try:
        checked = compiled(expression, Scope.GATE, Kind.BOOL).checked
    except InputError:
        # Whoever reads the gate itself says what is wrong with it.
        return
    for mention in references(checked):
        if mention.variable == "gates":
            yield mention


def _speakable(gate: Gate, earlier: Sequence[Gate]) -> set[str]:
    """The earlier gates of which an expression of `gate` may speak."""
    if gate.type == _READS_RESULTS:
        return {each.name for each in earlier}
    return {each.name for each in earlier if each.name not in _late(earlier)}


def _late(gates: Sequence[Gate]) -> set[str]:
    """Freeze windows, and the policies that wait for one."""
    late: set[str] = set()
    for gate in gates:
        if gate.type == _LOOKS_LAST or (
            gate.type == _READS_RESULTS and late.intersection(needed(gate, gates))
        ):
            late.add(gate.name)
    return late


def expressions_of(gate: Gate) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """A gate's condition, and the expressions of a policy's rules as far as they can be read.

    Each with its path within the gate.
    """
    if gate.when:
        yield ("when",), gate.when
    rules = gate.config.get("rules") if gate.type == _READS_RESULTS else None
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        expression = rule.get("expression") if isinstance(rule, dict) else None
        if isinstance(expression, str):
            yield ("config", "rules", index, "expression"), expression
