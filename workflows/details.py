"""A promotion in Markdown, for the person who looks at its workflow in the Temporal UI."""

from __future__ import annotations

from engine.model.promotion import PromotionSnapshot, PromotionState
from engine.model.verdict import GateState


def details(state: PromotionState, promotion: PromotionSnapshot) -> str:
    """The current details of a promotion's workflow."""
    lines = [
        f"**{state.release}** to **{state.environment}**: `{state.status}`",
        "",
        f"requested by {state.requested_by}"
        + (f" ({promotion.reason})" if promotion.reason else ""),
    ]
    if state.waiting_for:
        lines += ["", f"Waiting for: {state.waiting_for}"]
    if state.progress:
        lines += ["", state.progress]
    if state.failure is not None:
        lines += ["", f"Failed: {state.failure.message}"]
    if state.gates:
        lines += ["", "| gate | result | reason |", "|---|---|---|"]
        lines += [f"| {gate.name} | {_word(gate)} | {_reason(gate)} |" for gate in state.gates]
    if any(gate.who and gate.result is None for gate in state.gates):
        lines += ["", 'Send the update `approve` or `reject` with `{"user": "…", "comment": "…"}`.']
    if state.steps:
        lines += ["", "| step | status | |", "|---|---|---|"]
        lines += [
            f"| {step.label} | {step.status} | {_cell(step.detail)} |" for step in state.steps
        ]
    lines += ["", f"promotion `{state.promotion_id}`, trace `{state.trace_id}`"]
    if state.evidence is not None:
        lines += ["", f"evidence `sha256:{state.evidence.sha256}`"]
    return "\n".join(lines)


def _word(gate: GateState) -> str:
    if gate.result is not None:
        return gate.result.outcome.value
    return "waiting" if gate.waiting_for else "evaluating"


def _reason(gate: GateState) -> str:
    return _cell(gate.result.reason if gate.result is not None else gate.waiting_for)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
