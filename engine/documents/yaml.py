"""Reading YAML: version 1.2, its core schema, nothing that runs code, and a place for every value.

Source: https://yaml.org/spec/1.2.2/
"""

from __future__ import annotations

from pathlib import Path

from engine.documents import nodes
from engine.documents.nodes import Mapping, Node, Place, Scalar, Sequence
from engine.documents.scalars import STANDARD_TAG, ScalarError, value_of
from engine.documents.source import Location, ModelT, SourceDocument, error_at
from engine.errors import InputError
from engine.model.base import Json

MAX_BYTES = 1024 * 1024
"""The largest file that is read."""

MAX_VALUES = 100_000
"""How many values a document may hold once its aliases are written out."""

MAX_DEPTH = nodes.MAX_DEPTH
"""How deep values may be nested, aliases written out."""


def load(path: Path, model: type[ModelT]) -> ModelT:
    """The file's only document as a `model`.

    Raises:
        InputError: the file cannot be read, is no YAML, or does not fit; names every place.
    """
    return read(path).validate(model)


def read(path: Path) -> SourceDocument:
    """The file's only document as plain JSON data with the place of each value.

    Raises:
        InputError: not a readable file, larger than `MAX_BYTES`, not UTF-8, malformed, empty,
            several documents, a key given twice, or a value that JSON does not have.
    """
    return _document(path, _read_text(path))


def parse(name: str, text: str) -> Json:
    """The data of a text that is no file's, such as an option's.

    Args:
        name: how an error calls it.

    Raises:
        InputError: as for `read`.
    """
    return _document(Path(name), text).data


def _document(path: Path, text: str) -> SourceDocument:
    try:
        root = nodes.compose(text)
    except nodes.MalformedError as error:
        raise error_at(path, error.place, error.problem, error.remedy) from error
    if root is None:
        raise error_at(path, Place(1, 1), "is empty", "see the examples for what belongs in it")
    return SourceDocument(path, _Builder(path).build(root, (), root.place), root)


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
        raise InputError(str(path), f"cannot be read: {reason}", "check its permissions") from error
    if len(content) > MAX_BYTES:
        raise error_at(
            path,
            _place_in(content, MAX_BYTES),
            f"the file is larger than {MAX_BYTES // 1024} KiB, which end here",
            "split it into several files, and give large data as files of their own",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_in(content, error.start)
        raise error_at(path, place, "is not UTF-8 text", "save it as UTF-8") from error


def _place_in(content: bytes, at: int) -> Place:
    line = content.count(b"\n", 0, at) + 1
    begin = content.rfind(b"\n", 0, at) + 1
    return Place(line, len(content[begin:at].decode(errors="replace")) + 1)


class _Builder:
    """Turns nodes into JSON data. Aliases are written out, so their number is bounded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = 0
        self._open: set[int] = set()

    def build(self, node: Node, location: Location, place: Place) -> Json:
        """The node's data.

        Args:
            place: of the key, where the node is a mapping's value.
        """
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._error(
                location, place, "the document holds too many values", "use fewer aliases"
            )
        if isinstance(node, Scalar):
            return self._scalar(node, location, place)
        if id(node) in self._open:
            raise self._error(location, place, "an alias contains itself", "write the value out")
        if len(self._open) >= MAX_DEPTH:
            remedy = f"nest at most {MAX_DEPTH} levels"
            raise self._error(location, place, "is nested too deeply", remedy)
        known = STANDARD_TAG + ("seq" if isinstance(node, Sequence) else "map")
        if node.tag not in (None, "!", known):
            raise self._error(
                location, place, f"the tag {node.tag[:60]!r} is not supported", "remove it"
            )
        self._open.add(id(node))
        try:
            if isinstance(node, Mapping):
                return self._mapping(node, location)
            return [
                self.build(item, (*location, i), item.place) for i, item in enumerate(node.items)
            ]
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Mapping, location: Location) -> Json:
        result: dict[str, Json] = {}
        firsts: dict[str, Place] = {}
        for key_node, value_node in node.pairs:
            place = key_node.place
            key = self._key(key_node, location)
            inner = (*location, key)
            if key in firsts:
                problem = f"is already given on line {firsts[key].line}"
                raise self._error(inner, place, problem, "keep one of them")
            firsts[key] = place
            result[key] = self.build(value_node, inner, place)
        return result

    def _key(self, node: Node, location: Location) -> str:
        if isinstance(node, Scalar):
            if node.is_plain and node.text == "<<":
                remedy = "YAML 1.2 has no merge keys; write the fields out"
                raise error_at(self._path, node.place, "'<<' merges mappings", remedy)
            key = self._scalar(node, location, node.place)
            if isinstance(key, str):
                return key
        remedy = "put the key in quotes, or remove it"
        raise error_at(self._path, node.place, "a key must be text", remedy)

    def _scalar(self, node: Scalar, location: Location, place: Place) -> Json:
        try:
            return value_of(node)
        except ScalarError as error:
            raise self._error(location, place, error.problem, error.remedy) from error

    def _error(self, location: Location, place: Place, problem: str, remedy: str) -> InputError:
        return error_at(self._path, place, problem, remedy, location)
