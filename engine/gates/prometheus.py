"""Asking Prometheus, or what speaks its API, for the value of an expression at this moment.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field, TypeAdapter, ValidationError

from engine.actions import http
from engine.actions.http import HttpAnswer, HttpRequest
from engine.actions.references import ResolveSecret, SecretRef
from engine.actions.urls import shown
from engine.errors import GateError
from engine.gates.outside import asking
from engine.gates.words import in_one_line
from engine.model.base import Json, Value

_PATH = "/api/v1/query"

Point = tuple[float, str]
"""A time in seconds since 1970, and a number as text, which may be `NaN` or `+Inf`."""


class _Scalar(Value):
    resultType: Literal["scalar"]  # noqa: N815  as Prometheus calls it
    result: Point


class _Element(Value):
    metric: dict[str, str] = Field(default_factory=dict)
    value: Point


class _Vector(Value):
    resultType: Literal["vector"]  # noqa: N815  as above
    result: tuple[_Element, ...]


class _Answer(Value):
    status: Literal["success"]
    data: Annotated[_Scalar | _Vector, Field(discriminator="resultType")]


_ADAPTER = TypeAdapter(_Answer)


async def instant(
    url: str,
    query: str,
    headers: Mapping[str, str | SecretRef],
    within: timedelta,
    resolve_secret: ResolveSecret,
    heartbeat: Callable[[], None],
) -> tuple[str, ...]:
    """The numbers that `query` comes to now, as text: one for a scalar, one for each element.

    Args:
        url: of the server, without `/api/v1/query`.
        within: the time for all of it.

    Raises:
        GateError: the server does not answer, refuses the query, or answers neither a scalar nor
            a vector.
    """
    request = HttpRequest(
        method="POST",
        url=url.rstrip("/") + _PATH,
        headers={**headers, "content-type": "application/x-www-form-urlencoded"},
        body=urlencode({"query": query}),
        timeout=within,
    )
    with asking("cannot take a sample"):
        answer = await http.call(request, resolve_secret=resolve_secret, heartbeat=heartbeat)
    where = shown(url)
    if answer.status != 200:
        raise GateError(f"{where} answered {answer.status}: {_refusal(answer)}")
    try:
        data = _ADAPTER.validate_json(answer.body).data
    except ValidationError as error:
        raise GateError(f"{where} answered what is neither a scalar nor a vector") from error
    if isinstance(data, _Scalar):
        return (data.result[1],)
    return tuple(element.value[1] for element in data.result)


def _refusal(answer: HttpAnswer) -> str:
    try:
        data: Json = answer.json()
    except ValueError:
        data = None
    told = data.get("error") if isinstance(data, dict) else None
    return in_one_line(told if isinstance(told, str) else answer.text) or "nothing else"
