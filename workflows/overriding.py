"""Passing over a gate: who may, and what is taken note of."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.errors import InputError
    from engine.gates.freezes import STOP_THE_LINE
    from engine.gates.overriding import overridable, require
    from engine.model.environment import Gate
    from engine.model.override import FreezeOverrideInput, OverrideInput
    from engine.model.verdict import Override
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from workflows.failures import parse, refuse
    from workflows.logs import workflow_logger
    from workflows.occasions import Occasions
    from workflows.record import PromotionRecord

_log = workflow_logger(__name__)


def check(record: PromotionRecord | None, given: Any) -> None:
    """Do nothing when the gate may be passed over so.

    Args:
        record: None while the request is not resolved; to be checked again then.

    Raises:
        ApplicationError: it may not; the message says why.
    """
    message = parse(OverrideInput, given, "the input of override")
    if record is not None:
        _gate(record, message.user, message.gate)


def take(record: PromotionRecord, occasions: Occasions, given: Any) -> Override:
    """Pass over the gate, which is recorded with its result.

    Raises:
        ApplicationError: as for `check`.
    """
    message = parse(OverrideInput, given, "the input of override")
    gate = _gate(record, message.user, message.gate)
    return _take(occasions, gate, message.user, message.reason)


def check_freeze(record: PromotionRecord | None, given: Any) -> None:
    """Like `check`, for the update `override_freeze`."""
    message = parse(FreezeOverrideInput, given, "the input of override_freeze")
    if record is not None:
        _gate(record, message.user, "", type=STOP_THE_LINE.type)


def take_freeze(record: PromotionRecord, occasions: Occasions, given: Any) -> Override:
    """Like `take`, for the update `override_freeze`."""
    message = parse(FreezeOverrideInput, given, "the input of override_freeze")
    gate = _gate(record, message.user, "", type=STOP_THE_LINE.type)
    return _take(occasions, gate, message.user, message.reason)


def _take(occasions: Occasions, gate: Gate, user: str, reason: str) -> Override:
    override = Override(gate=gate.name, user=user, reason=reason, at=workflow.now())
    occasions.add_override(override)
    _log.warning(
        "gate %s is overridden by %s: %s",
        gate.name,
        user,
        reason,
        extra=event(
            events.GATE_OVERRIDDEN, {names.GATE_TYPE: gate.type, names.GATE_NAME: gate.name}
        ),
    )
    return override


def _gate(record: PromotionRecord, user: str, name: str, *, type: str = "") -> Gate:
    """The gate that is meant.

    Args:
        name: what it is called; empty for the only one that `user` may pass over now.
        type: of what type it has to be; empty for any.
    """
    stands = _standing(record)
    environment = record.promotion.environment
    if name:
        try:
            gate = require(environment, name, user)
        except InputError as error:
            raise refuse(error.field, error.problem, error.remedy) from error
        if name not in stands:
            raise refuse("gate", f"{name!r} does not hold the promotion up")
        return gate
    allowed = [
        gate
        for gate in overridable(environment, user).values()
        if gate.name in stands and type in ("", gate.type)
    ]
    if not allowed:
        what = "freeze" if type else "open gate"
        raise refuse("user", f"there is no {what} that {user!r} may override")
    if len(allowed) > 1:
        names_ = ", ".join(gate.name for gate in allowed)
        raise refuse("gate", "is missing, and several could be meant", f"name one of {names_}")
    return allowed[0]


def _standing(record: PromotionRecord) -> set[str]:
    """Names of the gates that an override can still help against."""
    if record.is_over:
        raise refuse("override", f"the promotion is {record.status}")
    if record.decision is None:
        gates = {gate.name for gate in record.promotion.environment.gates}
        return gates - {result.name for result in (record.gates.results if record.gates else ())}
    if not record.pauses:
        raise refuse("override", f"the promotion is {record.status}, and its gates have decided")
    return {closure.gate for closure in record.pauses}
