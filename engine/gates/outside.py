"""What gates tell the outside of a promotion, and what they take for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import ValidationError

from engine.errors import CallError, GateError, InputError
from engine.gates.protocol import GateContext
from engine.gates.words import in_one_line
from engine.model.base import Json, Timestamp, Value
from engine.model.problem import merged, problems_of
from engine.model.verdict import Allow, Deny


class Answer(Value):
    """A verdict from outside: `{"verdict": "allow", "reason": "…"}`.

    Attributes:
        reason: for people.
        until: when to ask again after a `defer`.
    """

    verdict: Literal["allow", "deny", "defer"]
    reason: str = ""
    until: Timestamp | None = None


def question(context: GateContext) -> dict[str, Json]:
    """The promotion and the gate that asks, as JSON. The same whenever the gate asks again."""
    promotion = context.promotion
    release, environment = promotion.release, promotion.environment
    return {
        "promotion": {
            "id": str(promotion.promotion_id),
            "workflow_id": promotion.workflow_id,
            "tenant": promotion.tenant,
            "requested_by": promotion.requested_by,
            "reason": promotion.reason,
            "requested_at": in_utc(promotion.requested_at),
            "is_rollback": promotion.is_rollback,
        },
        "release": {
            "name": release.name,
            "version": release.version,
            "ref": release.ref,
            "digest": release.digest,
            "components": [
                {"name": each.name, "artifact": each.artifact, "digest": each.digest}
                for each in release.components
            ],
        },
        "environment": {
            "name": environment.name,
            "order": environment.order,
            "target_count": promotion.target_count,
        },
        "gate": {
            "name": context.gate.name,
            "type": context.gate.type,
            "opened_at": in_utc(context.opened_at),
        },
    }


def answer_of(data: Json) -> Answer:
    """Read a verdict from outside.

    Raises:
        ValueError: it is none; says what is wrong with it.
    """
    if not isinstance(data, dict):
        raise ValueError("answer: is no JSON object")  # noqa: TRY004  one error for all of it
    try:
        answer = Answer.model_validate(data)
    except ValidationError as error:
        problem = merged("answer", problems_of(error, data, "answer"))
        raise ValueError(f"{problem.field}: {problem.problem}") from None
    return answer.model_copy(update={"reason": in_one_line(answer.reason)})


def last_word(answer: Answer, otherwise: str) -> Allow | Deny | None:
    """The verdict of an answer; None when it defers.

    Args:
        otherwise: the reason where the answer has none.
    """
    reason = answer.reason or otherwise
    match answer.verdict:
        case "allow":
            return Allow(reason=reason)
        case "deny":
            return Deny(reason=reason)
        case "defer":
            return None


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise `GateError` for what goes wrong with a call within the block.

    Args:
        what: begins the message.
    """
    try:
        yield
    except CallError as error:
        raise GateError(
            f"{what}: {error}", retryable=error.retryable, retry_after=error.retry_after
        ) from error
    except InputError as error:
        raise GateError(f"{what}: {error}") from error


def in_utc(moment: Timestamp) -> str:
    """A moment as JSON, `2026-03-02T12:00:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")
