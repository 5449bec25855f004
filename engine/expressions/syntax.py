"""The syntax tree of a checked expression, as far as it tells what the expression speaks of.

Of the protocol's messages only the fields that are walked are described here; the rest is skipped
when they are read.
https://github.com/google/cel-spec/blob/master/proto/cel/expr/syntax.proto
https://github.com/google/cel-spec/blob/master/proto/cel/expr/checked.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message, message_factory

from engine.errors import InputError
from engine.expressions.interpolation import place

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "int64": _FIELD.TYPE_INT64,
    "int32": _FIELD.TYPE_INT32,
    "bool": _FIELD.TYPE_BOOL,
}
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "CheckedExpr": {"expr": (4, "Expr"), "source_info": (5, "SourceInfo")},
    "SourceInfo": {"positions": (4, "repeated Position")},
    # How a map<int64, int32> is written.
    "Position": {"key": (1, "int64"), "value": (2, "int32")},
    "Expr": {
        "id": (2, "int64"),
        "const_expr": (3, "Constant"),
        "ident_expr": (4, "Ident"),
        "select_expr": (5, "Select"),
        "call_expr": (6, "Call"),
        "list_expr": (7, "List"),
        "struct_expr": (8, "Struct"),
        "comprehension_expr": (9, "Comprehension"),
    },
    "Constant": {"string_value": (6, "optional string")},
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "repeated Expr")},
    "List": {"elements": (1, "repeated Expr")},
    "Struct": {"entries": (2, "repeated Entry")},
    "Entry": {"map_key": (3, "Expr"), "value": (4, "Expr")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "Expr"),
        "loop_condition": (5, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
        "iter_var2": (8, "string"),
    },
}
"""Fields by message: the number, and a scalar or one of these messages."""

_INDEXING = frozenset({"_[_]", "_?._", "_[?_]"})


@dataclass(frozen=True)
class Reference:
    """One mention of a variable.

    Attributes:
        key: the field or the constant index right behind it, as in `nodes.deploy` and
            `nodes['deploy']`; None where it is computed, or the variable is taken as a whole.
        at: where it stands in the text, in characters.
    """

    variable: str
    key: str | None
    at: int


def references(checked: bytes) -> tuple[Reference, ...]:
    """What an expression mentions, in the order of the tree.

    A name that the expression itself gives to something is no mention.

    Args:
        checked: `Expression.checked`.

    Raises:
        InputError: the expression is nested too deeply.
    """
    envelope = any_pb2.Any.FromString(checked)
    try:
        tree = _class("CheckedExpr").FromString(envelope.value)
    except message.DecodeError as error:
        # Protobuf reads a hundred levels, of which a macro takes several.
        raise InputError("expression", "is nested too deeply", "split it up") from error
    positions = {entry.key: entry.value for entry in tree.source_info.positions}
    return tuple(_walk(tree.expr, frozenset(), positions))


def place_in(text: str, reference: Reference) -> str:
    """Where a reference stands, for people: `line 1, column 5`."""
    return place(text, reference.at)


def _walk(expr: Any, bound: frozenset[str], positions: dict[int, int]) -> Iterator[Reference]:
    own = _mention(expr, bound, positions)
    if own is not None:
        yield own
        if expr.HasField("call_expr") and expr.call_expr.function in _INDEXING:
            yield from _walk(expr.call_expr.args[1], bound, positions)
    elif expr.HasField("select_expr"):
        yield from _walk(expr.select_expr.operand, bound, positions)
    elif expr.HasField("call_expr"):
        call = expr.call_expr
        for inner in [*([call.target] if call.HasField("target") else []), *call.args]:
            yield from _walk(inner, bound, positions)
    elif expr.HasField("list_expr"):
        for inner in expr.list_expr.elements:
            yield from _walk(inner, bound, positions)
    elif expr.HasField("struct_expr"):
        for entry in expr.struct_expr.entries:
            yield from _walk(entry.map_key, bound, positions)
            yield from _walk(entry.value, bound, positions)
    elif expr.HasField("comprehension_expr"):
        yield from _comprehension(expr.comprehension_expr, bound, positions)


def _comprehension(
    loop: Any, bound: frozenset[str], positions: dict[int, int]
) -> Iterator[Reference]:
    yield from _walk(loop.iter_range, bound, positions)
    yield from _walk(loop.accu_init, bound, positions)
    accumulated = bound | {loop.accu_var}
    inside = accumulated | {loop.iter_var, loop.iter_var2}
    yield from _walk(loop.loop_condition, inside, positions)
    yield from _walk(loop.loop_step, inside, positions)
    yield from _walk(loop.result, accumulated, positions)


def _mention(expr: Any, bound: frozenset[str], positions: dict[int, int]) -> Reference | None:
    """The variable that the expression is, or that it takes something out of."""
    if expr.HasField("ident_expr"):
        return _reference(expr, None, bound, positions)
    if expr.HasField("select_expr"):
        return _reference(expr.select_expr.operand, expr.select_expr.field, bound, positions)
    if expr.HasField("call_expr") and expr.call_expr.function in _INDEXING:
        taken, index = expr.call_expr.args
        key = index.const_expr.string_value if _is_text(index) else None
        return _reference(taken, key, bound, positions)
    if expr.HasField("call_expr") and expr.call_expr.function == "@in":
        sought, within = expr.call_expr.args
        if _is_text(sought):
            return _reference(within, sought.const_expr.string_value, bound, positions)
    return None


def _reference(
    expr: Any, key: str | None, bound: frozenset[str], positions: dict[int, int]
) -> Reference | None:
    if not expr.HasField("ident_expr") or expr.ident_expr.name in bound:
        return None
    return Reference(expr.ident_expr.name, key, positions.get(expr.id, 0))


def _is_text(expr: Any) -> bool:
    return bool(expr.HasField("const_expr") and expr.const_expr.HasField("string_value"))


@cache
def _class(name: str) -> Any:
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(
        name="cel_subset.proto", package="cel.expr", syntax="proto3"
    )
    for message_name, fields in _MESSAGES.items():
        described = file.message_type.add(name=message_name)
        for field, (number, kind) in fields.items():
            _add(described, field, number, kind)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"cel.expr.{name}"))


def _add(described: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    inner = kind.removeprefix("repeated ").removeprefix("optional ")
    field = described.field.add(
        name=name,
        number=number,
        label=_FIELD.LABEL_REPEATED if kind.startswith("repeated ") else _FIELD.LABEL_OPTIONAL,
        type=_SCALARS.get(inner, _FIELD.TYPE_MESSAGE),
        type_name=None if inner in _SCALARS else f".cel.expr.{inner}",
    )
    if kind.startswith("optional "):
        # An alternative of a oneof of its own tells whether it is there.
        described.oneof_decl.add(name=f"_{name}")
        field.oneof_index = len(described.oneof_decl) - 1
        field.proto3_optional = True
