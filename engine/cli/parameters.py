"""Values of template parameters on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.model.base import Json

OPTION = "--param"


def parse_parameters(given: Sequence[str]) -> dict[str, Json]:
    """The values of `NAME=VALUE` options, typed as YAML types a plain value.

    `3` is a number, `true` a boolean, `"3"` text; what begins with a quote, `[` or `{` is read as
    YAML, and anything else is text.

    Raises:
        InputError: one is malformed, or a name is given twice.
    """
    values: dict[str, Json] = {}
    for option in given:
        name, equals, text = option.partition("=")
        if not equals or not name:
            raise InputError(
                OPTION, f"{option!r} is not NAME=VALUE", "write for example replicas=3"
            )
        if name in values:
            raise InputError(OPTION, f"{name!r} is given twice", "give it once")
        values[name] = _value(name, text)
    return values


def _value(name: str, text: str) -> Json:
    from engine.documents.nodes import Place, Scalar
    from engine.documents.scalars import ScalarError, value_of
    from engine.documents.yaml import parse

    if text.startswith(('"', "'", "[", "{")):
        return parse(f"{OPTION} {name}", text)
    try:
        return value_of(Scalar(Place(1, 1), text, is_plain=True, tag=None))
    except ScalarError as error:
        raise InputError(f"{OPTION} {name}", error.problem, error.remedy) from error
