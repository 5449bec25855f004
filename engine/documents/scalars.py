"""What a scalar of a YAML document means: the core schema of YAML 1.2, as far as JSON has it.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re

from engine.documents.nodes import Scalar
from engine.model.base import Json

STANDARD_TAG = "tag:yaml.org,2002:"

_MAX_SAFE_INTEGER = 2**53 - 1
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"0o(?P<oct>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)|[-+]?(?P<dec>[0-9]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class ScalarError(ValueError):
    """A scalar has no meaning here."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


def value_of(node: Scalar) -> Json:
    """The scalar's value.

    Raises:
        ScalarError: JSON has no such value, or the tag is not one of the core schema's.
    """
    if node.is_plain:
        return _plain(node.text)
    match None if node.tag is None else node.tag.removeprefix(STANDARD_TAG):
        case None | "!" | "str":
            return _text(node.text)
        case "null" if node.text in _NULL:
            return None
        case "bool" if node.text in _BOOLEANS:
            return _BOOLEANS[node.text]
        case "int" if _INTEGER.fullmatch(node.text):
            return _plain(node.text)
        case "float" if _FLOAT.fullmatch(node.text):
            return _float(node.text)
        case "null" | "bool" | "int" | "float" as type:
            raise ScalarError(f"is tagged !!{type} and is none", "remove the tag")
        case _:
            raise ScalarError(f"the tag {str(node.tag)[:60]!r} is not supported", "remove it")


def _plain(text: str) -> Json:
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if matched := _INTEGER.fullmatch(text):
        return _integer(text, matched)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError("is not a finite number", "put it in quotes as text")
    return _text(text)


def _integer(text: str, matched: re.Match[str]) -> int:
    base = {"oct": 8, "hex": 16, "dec": 10}[matched.lastgroup or "dec"]
    digits = matched[matched.lastgroup or "dec"].lstrip("0") or "0"
    # Python refuses to convert very long numbers at all.
    value = int(digits, base) if len(digits) <= 20 else _MAX_SAFE_INTEGER + 1
    if value > _MAX_SAFE_INTEGER:
        raise ScalarError("is beyond what JSON can hold", "put it in quotes as text")
    return -value if text.startswith("-") else value


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ScalarError("is beyond what JSON can hold", "put it in quotes as text")
    return value


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ScalarError("is not valid Unicode text", "check its escapes") from error
    return text
