"""Texts of a configuration with expressions in `${{ … }}` over what is promoted, and where."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from engine.errors import GateError, InputError
from engine.expressions.interpolation import parts_of
from engine.expressions.language import Scope, compiled
from engine.expressions.messages import promotion_values
from engine.expressions.syntax import place_in, references
from engine.model.base import Json
from engine.model.promotion import PromotionSnapshot

_KNOWN = ("promotion", "release", "environment")


def _checked(text: str) -> str:
    try:
        for part in parts_of(text):
            if part.is_expression:
                _check(part.text)
    except InputError as error:
        raise ValueError(error.problem + (f"; {error.remedy}" if error.remedy else "")) from error
    return text


def _check(expression: str) -> None:
    for mention in references(compiled(expression, Scope.GATE).checked):
        if mention.variable not in _KNOWN:
            raise InputError(
                "text",
                f"{place_in(expression, mention)}: {mention.variable} is not known here",
                f"known here: {', '.join(_KNOWN)}",
            )


def filled(text: str, promotion: PromotionSnapshot) -> str:
    """`text` with its expressions replaced by what they come to.

    Raises:
        GateError: one comes to nothing, or to a list or a map.
    """
    values = promotion_values(promotion)
    # The scope has these too, and evaluation wants all of it; the check has refused their use.
    variables = {**values, "gates": {}, "now": promotion.requested_at}
    return "".join(
        _text(part.text, variables) if part.is_expression else part.text for part in parts_of(text)
    )


def _text(expression: str, variables: dict[str, object]) -> str:
    try:
        value: Json = compiled(expression, Scope.GATE).evaluate(variables)
    except InputError as error:
        raise GateError(f"{expression} cannot be evaluated: {error.problem}") from error
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise GateError(f"{expression} comes to no text and no number")


Text = Annotated[str, AfterValidator(_checked)]
"""A text whose expressions were checked."""
