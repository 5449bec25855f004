"""Reading YAML: version 1.2, its core schema, nothing that runs code, and a line for every value.

Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.documents.source import Location, ModelT, Problem, SourceDocument
from engine.errors import InputError
from engine.model.base import Json

MAX_BYTES = 1024 * 1024
"""The largest file that is read."""

MAX_VALUES = 200_000
"""How many values a document may hold once its aliases are written out."""

MAX_DEPTH = 64
"""How deep values may be nested."""

_MAX_SAFE_INTEGER = 2**53 - 1
_STANDARD_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"(?P<oct>0o[0-7]+)|(?P<hex>0x[0-9a-fA-F]+)|(?P<dec>[-+]?[0-9]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def load(path: Path, model: type[ModelT]) -> ModelT:
    """The file's only document as a `model`.

    Raises:
        InputError: the file cannot be read, is no YAML, or does not fit; names every place.
    """
    return read(path).validate(model)


def read(path: Path) -> SourceDocument:
    """The file's only document as plain JSON data with the line of each value.

    Raises:
        InputError: not a readable file, larger than `MAX_BYTES`, not UTF-8, malformed, empty,
            several documents, a key given twice, or a value that JSON does not have.
    """
    root = _compose(path, _read_text(path))
    builder = _Builder(path)
    data = builder.build(root, ())
    return SourceDocument(path, data, builder.lines)


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError(str(path), "is not a regular file", "give the path of a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(str(path), "there is no such file", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(str(path), f"cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise InputError(
            str(path),
            f"is larger than {MAX_BYTES // 1024} KiB",
            "split it into several files, and give large data as files of their own",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}", "is not UTF-8 text", "save it as UTF-8") from error


def _compose(path: Path, text: str) -> Node:
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except RecursionError as error:
        raise InputError(str(path), "is nested too deeply", f"nest at most {MAX_DEPTH}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        field = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        problem = f"is not well-formed YAML: {error.problem or error.context}"
        if error.problem == "but found another document":
            problem = "a second document begins here"
            raise InputError(field, problem, "keep one document in a file") from error
        raise InputError(
            field, problem, "check indentation, quotes and brackets on this line and above"
        ) from error
    except YAMLError as error:
        raise InputError(
            str(path), "holds a character that YAML does not allow", "remove control characters"
        ) from error
    except Exception as error:  # The parser answers some malformed escapes with built-in errors.
        raise InputError(str(path), f"is not well-formed YAML: {error}") from error
    if root is None:
        raise InputError(str(path), "is empty", "see the examples for what belongs in it")
    return root  # type: ignore[no-any-return]  # ruamel.yaml leaves `compose` unannotated.


class _Builder:
    """Turns nodes into JSON data. Aliases are written out, so their number is bounded."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[Location, int] = {}
        self._path = path
        self._values = 0
        self._open: set[int] = set()

    def build(self, node: Node, location: Location, line: int | None = None) -> Json:
        self.lines[location] = line or node.start_mark.line + 1
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._error(location, "the document holds too many values", "use fewer aliases")
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        if id(node) in self._open:
            raise self._error(location, "an alias contains itself", "write the value out")
        if len(self._open) >= MAX_DEPTH:
            raise self._error(location, "is nested too deeply", f"nest at most {MAX_DEPTH} levels")
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode) and node.tag == _STANDARD_TAG + "seq":
                return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
            if isinstance(node, MappingNode) and node.tag == _STANDARD_TAG + "map":
                return self._mapping(node, location)
        finally:
            self._open.discard(id(node))
        raise self._error(location, f"the tag {node.tag!r} is not supported", "remove it")

    def _mapping(self, node: MappingNode, location: Location) -> Json:
        result: dict[str, Json] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, location, line)
            inner = (*location, key)
            if key in result:
                first = self.lines[inner]
                self.lines[inner] = line
                raise self._error(inner, f"is already given on line {first}", "keep one of them")
            result[key] = self.build(value_node, inner, line)
        return result

    def _key(self, node: Node, location: Location, line: int) -> str:
        if isinstance(node, ScalarNode):
            if node.tag == _STANDARD_TAG + "merge":
                remedy = "YAML 1.2 has no merge keys; write the fields out"
                raise InputError(f"{self._path}:{line}", "'<<' merges mappings", remedy)
            key = self._scalar(node, location)
            if isinstance(key, str):
                return key
        raise InputError(
            f"{self._path}:{line}", "a key must be text", "put the key in quotes, or remove it"
        )

    def _scalar(self, node: ScalarNode, location: Location) -> Json:
        text = str(node.value)
        match str(node.tag).removeprefix(_STANDARD_TAG):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if matched := _INTEGER.fullmatch(text):
                return self._integer(text, matched.lastgroup, location)
            case "float" if _FLOAT.fullmatch(text):
                return self._float(text, location)
            case "float" if text.lower().lstrip("+-") in (".inf", ".nan"):
                raise self._error(location, "is not a finite number", "put it in quotes as text")
            # What the parser takes for more than the core schema has, as timestamps, `1_000`, or
            # `yes` below a directive for YAML 1.1, is text.
            case "str" | "bool" | "int" | "float" | "timestamp" | "value" | "merge":
                return self._text(text, location)
        raise self._error(location, f"the tag {node.tag!r} is not supported", "remove it")

    def _integer(self, text: str, notation: str | None, location: Location) -> int:
        digits = text.lstrip("+-0ox") or "0"
        base = {"oct": 8, "hex": 16}.get(notation or "", 10)
        # Python refuses to convert very long numbers at all.
        value = int(digits, base) if len(digits) <= 20 else _MAX_SAFE_INTEGER + 1
        if value > _MAX_SAFE_INTEGER:
            raise self._error(location, "is beyond what JSON can hold", "put it in quotes as text")
        return -value if text.startswith("-") else value

    def _float(self, text: str, location: Location) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise self._error(location, "is beyond what JSON can hold", "put it in quotes as text")
        return value

    def _text(self, text: str, location: Location) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self._error(location, "is not valid Unicode text", "check its escapes") from error
        return text

    def _error(self, location: Location, problem: str, remedy: str) -> InputError:
        source = SourceDocument(self._path, None, self.lines)
        return source.error([Problem(location, problem, remedy)])
