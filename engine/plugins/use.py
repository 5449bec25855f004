"""How a configuration names what a plugin offers, and the call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from opentelemetry.propagate import inject
from pydantic import BaseModel, Field, ValidationError

from engine.actions.references import Known, Reference, ResolveSecret
from engine.errors import InputError, PluginError
from engine.model import problem as named
from engine.model.base import Document, Duration, Json, Name
from engine.model.explanation import Problem
from engine.model.problem import merged, problems_of
from engine.plugins import schema
from engine.plugins.calls import Calls
from engine.plugins.messages import Params
from engine.plugins.protocol import (
    LONGEST_CALL,
    Call,
    Context,
    Method,
    Offer,
    OfferKind,
    SecretName,
)
from engine.plugins.registry import find, get

ReplyT = TypeVar("ReplyT", bound=BaseModel)


class PluginUse(Document):
    """What is used of a plugin, and with what.

    Attributes:
        plugin: its id.
        offer: which of its gates, steps, notifiers or drivers; may be left out where it offers one.
        inputs: by the schema that it declares.
        secrets: references, by the names of the secrets that it takes.
        timeout: how long a call may take; what the plugin says by default.
    """

    plugin: Name
    offer: Name | None = None
    inputs: dict[str, Json] = Field(default_factory=dict)
    secrets: dict[SecretName, Reference] = Field(default_factory=dict)
    timeout: Duration | None = Field(default=None, gt=timedelta(0), le=LONGEST_CALL)


def problems(
    use: PluginUse,
    kind: OfferKind,
    settled: Callable[[object], bool] = lambda value: True,
) -> list[Problem]:
    """Everything in which a use does not fit the plugin, by location within the use.

    Args:
        settled: whether a value is final; see `engine.plugins.schema.problems`.
    """
    try:
        offer = get(use.plugin).offer(kind, use.offer)
    except InputError as error:
        return [Problem((error.field,), error.problem, error.remedy)]
    return _misfits(use, offer, settled)


def _misfits(
    use: PluginUse, offer: Offer, settled: Callable[[object], bool] = lambda value: True
) -> list[Problem]:
    taken = f"it takes {', '.join(offer.secrets) or 'none'}"
    return [
        *(
            Problem(("inputs", *each.location), each.problem)
            for each in schema.problems(offer.input_schema, use.inputs, settled)
        ),
        *(
            Problem(
                ("secrets", name), f"is no secret of the {offer.kind.value} {offer.name}", taken
            )
            for name in sorted(use.secrets.keys() - set(offer.secrets))
        ),
    ]


def refused(prefix: str, problems: Sequence[Problem]) -> InputError:
    """The error for what does not fit; at least one problem.

    Args:
        prefix: path of the use itself.
    """
    listed = [
        named.Problem(
            ".".join([prefix, *(str(part) for part in each.location)]), each.problem, each.remedy
        )
        for each in problems
    ]
    return InputError(*named.merged(prefix, listed))


class Answered(BaseModel):
    """What a plugin is on record with: which one answered."""

    plugin: str
    version: str
    offer: str
    digest: str | None = None


async def call(
    use: PluginUse,
    kind: OfferKind,
    method: Method,
    params: Params,
    reply: type[ReplyT],
    *,
    key: str,
    resolve_secret: ResolveSecret,
    calls: Calls,
) -> tuple[ReplyT, Answered]:
    """Call what is used of a plugin.

    Args:
        params: of the method; name, inputs and secrets are filled in here.
        key: names the work; the same when it is tried again.

    Returns:
        The answer without the secrets that the plugin was given, and who gave it.

    Raises:
        InputError: there is no such plugin here, or the use does not fit it; names the field.
        PluginError: it gave no usable answer. The message holds none of the secrets.
    """
    installed = await find(use.plugin, calls)
    offer = installed.offer(kind, use.offer)
    misfits = _misfits(use, offer)
    if misfits:
        raise refused(f"plugin {installed.id}", misfits)
    known = Known(resolve_secret)
    secrets = {name: await known.secret(given) for name, given in use.secrets.items()}
    filled = params.model_copy(
        update={"name": offer.name, "inputs": use.inputs, "secrets": secrets}
    )
    limit = use.timeout or offer.timeout
    with calls.calling(installed.id, method, offer.name):
        request = Call(
            method=method,
            params=filled.model_dump(mode="json"),
            context=context(key, limit),
        )
        try:
            answer = await installed.runner.ask(request, limit, calls.heartbeat)
            if method is not Method.SECRET_RESOLVE:
                answer = {name: _hidden(value, known) for name, value in answer.items()}
            result = _parsed(reply, answer)
        except PluginError as error:
            told = _text(f"plugin {installed.id}: {error}", known)
            raise PluginError(told, retryable=error.retryable, kind=error.kind) from None
    answered = Answered(
        plugin=installed.id,
        version=installed.description.version,
        offer=offer.name,
        digest=installed.digest,
    )
    return result, answered


def context(key: str, limit: timedelta, *, check: bool = False) -> Context:
    """The context of a call that begins now, in the trace that is the current one."""
    headers: dict[str, str] = {}
    inject(headers)
    return Context(
        traceparent=headers.get("traceparent", ""),
        tracestate=headers.get("tracestate", ""),
        baggage=headers.get("baggage", ""),
        key=key,
        deadline=datetime.now(UTC) + limit,
        check=check,
    )


def _parsed(reply: type[ReplyT], answer: Mapping[str, Json]) -> ReplyT:
    try:
        return reply.model_validate(answer)
    except ValidationError as error:
        problem = merged("result", problems_of(error, answer, "result"))
        raise PluginError(
            f"its answer cannot be used: {problem.field}: {problem.problem}", retryable=False
        ) from error


def _hidden(value: Json, known: Known) -> Json:
    """`value` without the secrets, wherever in it they stand."""
    if isinstance(value, str):
        return _text(value, known)
    if isinstance(value, dict):
        return {_text(key, known): _hidden(item, known) for key, item in value.items()}
    return [_hidden(item, known) for item in value] if isinstance(value, list) else value


def _text(text: str, known: Known) -> str:
    return known.hidden(text.encode(errors="replace")).decode(errors="replace")
