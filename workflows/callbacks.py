"""Answers to gates that asked somebody outside and wait for a callback."""

from __future__ import annotations

import hmac
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.gates.protocol import Callback
    from engine.model.callback import CallbackInput
    from workflows.failures import parse, refuse
    from workflows.occasions import Occasions
    from workflows.record import PromotionRecord


def check(record: PromotionRecord | None, given: Any) -> None:
    """Do nothing when a gate waits for this answer.

    Args:
        record: None while the request is not resolved; to be checked again then.

    Raises:
        ApplicationError: none does.
    """
    message = parse(CallbackInput, given, "the input of gate_callback")
    if record is None:
        return
    states = () if record.gates is None else record.gates.states
    state = next((each for each in states if each.name == message.gate), None)
    if state is None or state.result is not None or record.is_over:
        raise refuse("gate", f"no gate called {message.gate!r} waits for an answer")
    given_out = state.callback_token.encode()
    if not given_out or not hmac.compare_digest(given_out, message.token.encode()):
        raise refuse("token", f"is not the one that the gate {message.gate!r} gave out")


def take(record: PromotionRecord, occasions: Occasions, given: Any) -> None:
    """Hand the answer to the gate.

    Raises:
        ApplicationError: as for `check`.
    """
    check(record, given)
    message = parse(CallbackInput, given, "the input of gate_callback")
    occasions.add_callback(Callback(**message.model_dump(), at=workflow.now()))
