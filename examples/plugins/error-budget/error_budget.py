"""A gate: no release goes where the service's error budget is used up.

It reads an objective's figures as JSON from wherever they are kept (an SLO service, a recording
rule behind an API, a file on a web server) and computes what is left of the budget: with the
objective 99.9 % and 1,000,000 requests, 1,000 may fail, and with 400 failures 60 % is left
(https://sre.google/workbook/error-budget-policy/).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from engine.model.base import Json
from engine.model.explanation import dotted
from engine.plugins.messages import GateParams, GateReply
from engine.plugins.protocol import Call, Description, Offer, OfferKind, RefusedError
from engine.plugins.schema import problems

MAX_BYTES = 1024 * 1024

SCHEMA: dict[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "pattern": "^https?://",
            "description": "answers with JSON that has the counts",
        },
        "objective": {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "description": "share of good events, such as 0.999",
        },
        "total": {"$ref": "#/$defs/pointer", "default": "/total"},
        "good": {"$ref": "#/$defs/pointer", "default": "/good"},
        "min_remaining": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.1,
            "description": "share of the budget that has to be left",
        },
        "wait_minutes": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1440,
            "default": 0,
            "description": "how long to wait for the budget to recover before the answer is no",
        },
    },
    "required": ["url", "objective"],
    "additionalProperties": False,
    "$defs": {
        "pointer": {
            "type": "string",
            "pattern": "^(/([^/~]|~[01])*)+$",
            "description": "a JSON Pointer (RFC 6901) to a number",
        }
    },
}
LOOK_AGAIN = timedelta(minutes=1)


class ErrorBudget:
    """The plugin `error-budget`; follows `engine.plugins.protocol.Plugin`."""

    def describe(self) -> Description:
        """One gate, which takes the secret `token` as a bearer token."""
        return Description(
            id="error-budget",
            version="1.0.0",
            description="Reads a service's error budget.",
            offers=(
                Offer(
                    kind=OfferKind.GATE,
                    name="error-budget",
                    description="Enough of the error budget has to be left.",
                    input_schema=SCHEMA,
                    secrets=("token",),
                    timeout=timedelta(seconds=15),
                    # A fix is what restores the budget.
                    holds_for_rollbacks=False,
                ),
            ),
        )

    async def call(self, call: Call) -> dict[str, Json]:
        """Answer `gate.evaluate`."""
        params = GateParams.model_validate(call.params)
        inputs = _Inputs(params.inputs)
        headers = {"traceparent": call.context.traceparent} if call.context.traceparent else {}
        if "token" in params.secrets:
            headers["authorization"] = f"Bearer {params.secrets['token']}"
        figures = await _read(inputs.url, headers)
        total, good = _number(figures, inputs.total), _number(figures, inputs.good)
        if not 0 <= good <= total:
            raise RefusedError("BadFigures", f"{good:g} good of {total:g} events cannot be")
        budget = total * (1 - inputs.objective)
        left = 1.0 if total == 0 else 1 - (total - good) / budget
        told = f"{left:.1%} of the error budget is left, {inputs.min_remaining:.0%} has to be"
        reply = GateReply(
            verdict="allow" if left >= inputs.min_remaining else "deny",
            reason=told,
            attributes={"remaining": left, "total": total, "good": good},
            evidence={"total": total, "good": good, "objective": inputs.objective},
        )
        if reply.verdict == "deny" and params.now < params.opened_at + inputs.wait:
            reply = reply.model_copy(update={"verdict": "defer", "until": params.now + LOOK_AGAIN})
        return reply.model_dump(mode="json")


class _Inputs:
    """The inputs with their defaults."""

    def __init__(self, given: dict[str, Any]) -> None:
        # The engine does the same before each call; whoever else calls may not.
        for wrong in problems(SCHEMA, given):
            raise RefusedError("InvalidInputs", f"{dotted(wrong.location)} {wrong.problem}")
        self.url = str(given["url"])
        self.objective = float(given["objective"])
        self.total = str(given.get("total", "/total"))
        self.good = str(given.get("good", "/good"))
        self.min_remaining = float(given.get("min_remaining", 0.1))
        self.wait = timedelta(minutes=int(given.get("wait_minutes", 0)))


async def _read(url: str, headers: dict[str, str]) -> Any:
    try:
        async with (
            httpx.AsyncClient(timeout=10, headers=headers) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                again = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
                raise RefusedError(
                    "BadStatus", f"{url} answered {response.status_code}", retryable=again
                )
            data = b""
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise RefusedError("BadFigures", f"{url} answered more than 1 MiB")
        return httpx.Response(200, content=data).json()
    except httpx.HTTPError as error:
        told = f"{url}: {type(error).__name__}: {error}"
        raise RefusedError("Unreachable", told, retryable=True) from error
    except ValueError as error:
        raise RefusedError("BadFigures", f"{url} answered no JSON: {error}") from error


def _number(document: Any, pointer: str) -> float:
    here = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            here = here[int(key)] if isinstance(here, list) else here[key]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RefusedError("BadFigures", f"there is nothing at {pointer}") from error
    if isinstance(here, bool) or not isinstance(here, int | float):
        raise RefusedError("BadFigures", f"what is at {pointer} is no number")
    return float(here)
