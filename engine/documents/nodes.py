"""The tree of a YAML document: what was written, and where, before it is given any meaning.

Built from the parser's events and bounded while it grows, so that no document, however it is made,
takes more time or memory than its size in bytes allows. Aliases share the node that they repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from engine.model.explanation import Location

MAX_NODES = 150_000
"""How many values and keys a document may hold as it is written."""

MAX_DEPTH = 64
"""How deep values may be nested."""

# The parser written in C takes a fortieth of the time; without it the same events come of Python.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Place(NamedTuple):
    """Where something stands in a file; both counted from 1, columns in characters."""

    line: int
    column: int


@dataclass(slots=True)
class Scalar:
    """One value as text.

    Attributes:
        is_plain: it stands without quotes and without a tag, so that its text tells its type.
        tag: written out; None for none.
    """

    place: Place
    text: str
    is_plain: bool
    tag: str | None


@dataclass(slots=True)
class Sequence:
    """A list."""

    place: Place
    tag: str | None
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys and values in their order; a key may be anything, and may be there more than once."""

    place: Place
    tag: str | None
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


class MalformedError(Exception):
    """A text is no single YAML document within the limits.

    Attributes:
        place: None where it is not known.
    """

    def __init__(self, place: Place | None, problem: str, remedy: str) -> None:
        self.place, self.problem, self.remedy = place, problem, remedy
        super().__init__(problem)


def compose(text: str) -> Node | None:
    """The text's only document; None when it holds none.

    Raises:
        MalformedError: it is not well-formed, holds several documents, or is beyond the limits.
    """
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = None if mark is None else Place(mark.line + 1, mark.column + 1)
        if error.problem == "exceeded maximum nesting depth":
            raise _too_deep(place) from error
        raise MalformedError(
            place,
            f"is not well-formed YAML: {error.problem or error.context}",
            "check indentation, quotes and brackets on this line and above",
        ) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        raise MalformedError(
            Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1),
            "holds a character that YAML does not allow",
            "remove control characters",
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The parser answers some malformed escapes with built-in errors.
        raise MalformedError(
            None, f"is not well-formed YAML: {error}", "check its escapes"
        ) from error
    return composer.root


def place_of(root: Node, location: Location) -> Place:
    """Where the value at `location` stands: a mapping's value where its key stands.

    What is not there stands where the innermost thing around it stands.
    """
    here, place = root, root.place
    for part in location:
        found = _below(here, part)
        if found is None:
            break
        place, here = found
    return place


def _below(node: Node, part: str | int) -> tuple[Place, Node] | None:
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part].place, node.items[part]
    if isinstance(node, Mapping):
        for key, value in node.pairs:
            if isinstance(key, Scalar) and key.text == part:
                return key.place, value
    return None


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended, and the key whose value is awaited."""

    node: Sequence | Mapping
    key: Node | None = None


class _Composer:
    """Takes the parser's events one by one."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._has_begun = False
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def take(self, event: Event) -> None:
        match event:
            case ScalarEvent():
                is_plain = event.tag is None and bool(event.implicit[0])
                node = Scalar(_place(event), event.value, is_plain, event.tag)
                self._remember(event, node)
                self._add(node)
            case SequenceStartEvent() | MappingStartEvent():
                self._begin(event)
            case CollectionEndEvent():
                self._open.pop()
            case AliasEvent():
                self._add(self._repeated(event))
            case DocumentStartEvent():
                if self._has_begun:
                    place, remedy = _place(event), "keep one document in a file"
                    raise MalformedError(place, "a second document begins here", remedy)
                self._has_begun = True

    def _begin(self, event: SequenceStartEvent | MappingStartEvent) -> None:
        place = _place(event)
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(place)
        made: Sequence | Mapping
        if isinstance(event, SequenceStartEvent):
            made = Sequence(place, event.tag)
        else:
            made = Mapping(place, event.tag)
        self._remember(event, made)
        self._add(made)
        self._open.append(_Open(made))

    def _add(self, node: Node) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            problem = f"the document holds more than {MAX_NODES} values"
            raise MalformedError(node.place, problem, "split it into several files")
        if not self._open:
            self.root = node
            return
        innermost = self._open[-1]
        if isinstance(innermost.node, Sequence):
            innermost.node.items.append(node)
        elif innermost.key is None:
            innermost.key = node
        else:
            innermost.node.pairs.append((innermost.key, node))
            innermost.key = None

    def _remember(self, event: NodeEvent, node: Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _repeated(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            problem = f"the undefined alias *{name}: there is no &{name} above"
            raise MalformedError(_place(event), problem, "write the value out, or correct the name")
        return self._anchors[name]


def _too_deep(place: Place | None) -> MalformedError:
    return MalformedError(place, "is nested too deeply", f"nest at most {MAX_DEPTH} levels")


def _place(event: Event) -> Place:
    mark = event.start_mark
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
