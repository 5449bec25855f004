"""Checking an expression against what it may speak of, and evaluating it.

The language is CEL, by its authors' own implementation: it always ends, and reaches nothing beside
its variables. https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]  # has stubs, but no py.typed
from cel_expr_python.ext import (  # type: ignore[import-untyped]  # as above
    ext_bindings,
    ext_math,
    ext_optional,
    ext_strings,
)

from engine.errors import InputError
from engine.expressions.messages import PACKAGE, pool
from engine.model.base import Json

MAX_LENGTH = 4096
"""Characters of the longest expression."""

_PLACE = re.compile(r"<input>:(?P<line>\d+):(?P<column>\d+): (?P<problem>.*)")
_CONTAINER = re.compile(r" \(in container '[^']*'\)")
_PREFIX = re.compile(r"^[A-Z_]+: ")


class Scope(Enum):
    """Where an expression stands, and so what it may speak of.

    `GATE`: `promotion`, `release`, `environment`, `gates` (by name, those that have their last
    word), `now`. `NODE`: `promotion`, `release`, `environment`, `params`, `nodes` (by id, each with
    `status` and `outputs`), `now`. `ANSWER`: `status`, `headers` (by lower-case name) and `body` of
    an HTTP answer; the body is JSON data, or text where it is none.
    """

    GATE = "gate"
    NODE = "node"
    ANSWER = "answer"


class Kind(Enum):
    """What an expression has to come to."""

    BOOL = "bool"
    ANY = "any"


class Expression:
    """An expression that was checked.

    Attributes:
        text: as written.
        checked: the syntax tree, a serialized `cel.expr.CheckedExpr` within an `Any`
            (https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto).
    """

    def __init__(self, text: str, compiled: cel.Expression) -> None:
        self.text = text
        self._compiled = compiled

    @property
    def checked(self) -> bytes:
        """See the class."""
        checked: bytes = self._compiled.serialize()
        return checked

    def evaluate(self, variables: Mapping[str, Any]) -> Json:
        """What it comes to, as JSON data; times in ISO 8601, durations as `90s`.

        Args:
            variables: by name; all of the scope's.

        Raises:
            InputError: it comes to nothing, such as a field that is not there.
        """
        try:
            value = self._compiled.eval(data=dict(variables))
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(self.text, _first_line(str(error))) from error
        if value.type() == cel.Type.ERROR:
            raise InputError(self.text, _first_line(str(value.plain_value())))
        return _json(value.plain_value())


def compiled(
    text: str, scope: Scope, kind: Kind = Kind.ANY, field: str = "expression"
) -> Expression:
    """Check an expression.

    Args:
        field: how the error names the place where it stands.

    Raises:
        InputError: it is malformed, speaks of something unknown, or comes to something else than
            `kind`; the problem begins with the line and column within the text.
    """
    if len(text) > MAX_LENGTH:
        problem = f"has {len(text)} characters"
        raise InputError(field, problem, f"write at most {MAX_LENGTH}; split the expression")
    try:
        return _compiled(text, scope, kind)
    except InputError as error:
        raise InputError(field, error.problem, error.remedy) from error


@lru_cache(maxsize=4096)
def _compiled(text: str, scope: Scope, kind: Kind) -> Expression:
    try:
        made = _environment(scope).compile(text)
    except (RuntimeError, ValueError) as error:
        raise InputError("expression", *_told(str(error), scope)) from error
    if kind is Kind.BOOL and made.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        problem = f"comes to {made.return_type().name().lower()}, where true or false is needed"
        raise InputError("expression", problem, "write a comparison")
    return Expression(text, made)


def _variables(scope: Scope) -> dict[str, cel.Type]:
    if scope is Scope.ANSWER:
        headers = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
        return {"status": cel.Type.INT, "headers": headers, "body": cel.Type.DYN}
    variables = {
        "promotion": cel.Type(f"{PACKAGE}.Promotion"),
        "release": cel.Type(f"{PACKAGE}.Release"),
        "environment": cel.Type(f"{PACKAGE}.Environment"),
        "now": cel.Type.TIMESTAMP,
    }
    if scope is Scope.GATE:
        variables["gates"] = cel.Type.Map(cel.Type.STRING, cel.Type(f"{PACKAGE}.Gate"))
    else:
        variables["params"] = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
        variables["nodes"] = cel.Type.Map(
            cel.Type.STRING, cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
        )
    return variables


@cache
def _environment(scope: Scope) -> cel.Env:
    extensions = [
        ext_strings.ExtStrings(),
        ext_math.ExtMath(),
        ext_optional.ExtOptional(),
        ext_bindings.ExtBindings(),
    ]
    return cel.NewEnv(pool(), variables=_variables(scope), extensions=extensions)


def _told(answer: str, scope: Scope) -> tuple[str, str]:
    if "recursion" in answer:
        return "is nested too deeply", "split the expression"
    found = _PLACE.search(answer)
    if found is None:
        return _first_line(answer), "correct the expression"
    told = _CONTAINER.sub("", found["problem"]).strip()
    problem = f"line {found['line']}, column {found['column']}: {told}"
    return problem, f"known here: {', '.join(_variables(scope))}"


def _first_line(answer: str) -> str:
    line = answer.strip().splitlines()[0] if answer.strip() else "cannot be evaluated"
    return _PREFIX.sub("", line)


def _json(value: Any) -> Json:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds():g}s"
        case bytes() | bytearray():
            return value.decode(errors="replace")
        case dict():
            return {str(key): _json(each) for key, each in value.items()}
        case list() | tuple():
            return [_json(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
