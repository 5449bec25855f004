"""The gates of an environment as written in its file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import ValidationError

import engine.gates.registry as gates
from engine.documents.calendar_section import with_calendars
from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.errors import InputError
from engine.expressions.language import Kind, Scope, compiled
from engine.gates.freezes import STOP_THE_LINE
from engine.gates.naming import expressions_of, mistakes
from engine.model.base import Document
from engine.model.environment import Gate, Overriders
from engine.model.spelling import suggestion


def named_gates(checker: Checker, given: tuple[Gate, ...], location: Location) -> tuple[Gate, ...]:
    """The gates, each with a name, and everything about them checked.

    A gate without a name gets its type's, with `-2`, `-3` … where another gate has that name.
    """
    named: list[Gate] = []
    taken = {gate.name for gate in given if gate.name}
    for index, written in enumerate(given):
        inside = (*location, index)
        gate = with_calendars(checker, written, inside)
        known = gates.names()
        if gate.type in known:
            checker.config(
                inside,
                gate.config,
                partial(gates.check, gate, checker.groups),
                partial(_model, gate.type),
            )
        else:
            problem = f"no gate type is called {gate.type!r}"
            remedy = suggestion(gate.type, known, "known types")
            checker.add((*inside, "type"), problem, remedy)
        _check_condition(checker, gate, named, inside)
        if gate.override is not None:
            _check_overriders(checker, gate.override, (*inside, "override"))
        if gate.name == STOP_THE_LINE.name:
            problem = "is the name of the gate that looks for freezes where no other does"
            checker.add((*inside, "name"), problem, "give it another name")
        name = gate.name or _free_name(gate.type, taken)
        taken.add(name)
        try:
            named.append(Gate.model_validate({**dict(gate), "name": name}))
        except ValidationError:
            # The type of a plugin need not be usable as a name.
            checker.add((*inside, "name"), "is missing", "give this gate a name")
    checker.names(location, [gate.name for gate in named], "gate")
    return tuple(named)


def _check_condition(
    checker: Checker, gate: Gate, earlier: Sequence[Gate], location: Location
) -> None:
    """Hold a gate's `when` against what it may speak of, and a policy's rules too."""
    if gate.when:
        try:
            compiled(gate.when, Scope.GATE, Kind.BOOL)
        except InputError as error:
            checker.add((*location, "when"), error.problem, error.remedy)
    for path, expression in expressions_of(gate):
        for mistake in mistakes(expression, gate, earlier):
            checker.add((*location, *path), mistake.problem, mistake.remedy)


def _check_overriders(checker: Checker, given: Overriders, location: Location) -> None:
    for index, name in enumerate(given.groups):
        if name not in checker.groups:
            known = suggestion(name, sorted(checker.groups), "groups")
            checker.add((*location, "groups", index), f"no group is called {name!r}", known)
    if not given.people(checker.groups) and not given.groups:
        problem = "names nobody who may override"
        checker.add(location, problem, "give groups or users, or leave it out")


def _free_name(type: str, taken: set[str]) -> str:
    candidate, number = type, 1
    while candidate in taken:
        number += 1
        candidate = f"{type}-{number}"
    return candidate


def _model(type: str) -> type[Document]:
    return gates.get(type).config
