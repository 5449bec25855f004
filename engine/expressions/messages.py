"""The typed values that expressions speak of, as protobuf messages, which is what CEL checks.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#protocol-buffer-data-conversion
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)

from engine.model.base import Json
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import GateResult

PACKAGE = "promotion"

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _FIELD.TYPE_STRING,
    "int": _FIELD.TYPE_INT64,
    "bool": _FIELD.TYPE_BOOL,
}
_MESSAGES: Mapping[str, Mapping[str, str]] = {
    "Attachment": {"name": "string", "format": "string", "digest": "string", "size": "int"},
    "Component": {
        "name": "string",
        "artifact": "string",
        "digest": "string",
        "attachments": "repeated .promotion.Attachment",
    },
    "Release": {
        "name": "string",
        "version": "string",
        "ref": "string",
        "digest": "string",
        "committers": "repeated string",
        "components": "repeated .promotion.Component",
    },
    "Environment": {"name": "string", "order": "int", "target_count": "int"},
    "Promotion": {
        "id": "string",
        "tenant": "string",
        "requested_by": "string",
        "reason": "string",
        "requested_at": ".google.protobuf.Timestamp",
        "is_rollback": "bool",
    },
    "Gate": {
        "name": "string",
        "type": "string",
        "outcome": "string",
        "reason": "string",
        "overridden_by": "string",
        "attributes": ".google.protobuf.Struct",
    },
}
"""Fields by message: a scalar, or a message's full name, `repeated` where there may be many."""


@cache
def pool() -> descriptor_pool.DescriptorPool:
    """The descriptors of all messages that expressions know."""
    made = descriptor_pool.DescriptorPool()
    for known in (timestamp_pb2.DESCRIPTOR, struct_pb2.DESCRIPTOR):
        made.AddSerializedFile(known.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="promotion.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto", "google/protobuf/struct.proto"],
    )
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            inner = kind.removeprefix("repeated ")
            described.field.add(
                name=field,
                number=number,
                label=_FIELD.LABEL_REPEATED if inner != kind else _FIELD.LABEL_OPTIONAL,
                type=_SCALARS.get(inner, _FIELD.TYPE_MESSAGE),
                type_name=None if inner in _SCALARS else inner,
            )
    made.AddSerializedFile(file.SerializeToString())
    return made


def promotion_values(promotion: PromotionSnapshot) -> dict[str, message.Message]:
    """The variables `promotion`, `release` and `environment`."""
    release, environment = promotion.release, promotion.environment
    return {
        "promotion": _message(
            "Promotion",
            {
                "id": str(promotion.promotion_id),
                "tenant": promotion.tenant,
                "requested_by": promotion.requested_by,
                "reason": promotion.reason,
                "requested_at": promotion.requested_at.isoformat(),
                "is_rollback": promotion.is_rollback,
            },
        ),
        "release": _message(
            "Release",
            {
                **release.model_dump(
                    mode="json", include={"name", "version", "committers", "components"}
                ),
                "ref": release.ref,
                "digest": release.digest,
            },
        ),
        "environment": _message(
            "Environment",
            {
                "name": environment.name,
                "order": environment.order,
                "target_count": promotion.target_count,
            },
        ),
    }


def gate_values(results: Iterable[GateResult]) -> dict[str, message.Message]:
    """The variable `gates`: the last words of gates by name."""
    return {
        result.name: _message(
            "Gate",
            {
                "name": result.name,
                "type": result.type,
                "outcome": result.outcome.value,
                "reason": result.reason,
                "overridden_by": "" if result.overridden is None else result.overridden.user,
                "attributes": result.model_dump(mode="json")["attributes"],
            },
        )
        for result in results
    }


def _message(name: str, data: dict[str, Json]) -> message.Message:
    described = pool().FindMessageTypeByName(f"{PACKAGE}.{name}")
    made = message_factory.GetMessageClass(described)()
    return json_format.ParseDict(data, made, ignore_unknown_fields=True)
