"""How values become Temporal payloads: pydantic's JSON, lenient where a stranger may have written.

A payload that cannot be decoded would fail the workflow task again and again, and nobody would be
told. Where the receiver takes anything (its type is `Any`, or there is none), or says that it copes
(its type is a union with `Undecodable`), it gets an `Undecodable` instead, and can refuse it with a
message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, get_args

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter

_ANYTHING = (None, Any)


@dataclass(frozen=True)
class Undecodable:
    """What a payload is that is no JSON; `problem` says why."""

    problem: str


class LenientPayloadConverter(PydanticPayloadConverter):
    """Pydantic's converter, except that it never fails where anything is taken."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """See `temporalio.converter.PayloadConverter`."""
        hints: Sequence[type | None] = type_hints or [None] * len(payloads)
        return [self._decoded(*each) for each in zip(payloads, hints, strict=True)]

    def _decoded(self, payload: Payload, hint: type | None) -> Any:
        wanted = [one for one in get_args(hint) if one is not Undecodable]
        copes = len(wanted) < len(get_args(hint))
        if copes:
            hint = reduce(or_, wanted)
        try:
            return super().from_payloads([payload], None if hint is None else [hint])[0]
        except Exception as error:
            if hint not in _ANYTHING and not copes:
                raise
            return Undecodable(" ".join(str(error).split()))


DATA_CONVERTER = dataclasses.replace(
    pydantic_data_converter, payload_converter_class=LenientPayloadConverter
)
"""What every client, worker and replayer of ours uses."""
