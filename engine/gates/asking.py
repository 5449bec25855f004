"""Asking one gate: whether it has a say at all, and then what it says."""

from __future__ import annotations

from engine.errors import GateError, InputError
from engine.expressions.language import Kind, Scope, compiled
from engine.expressions.messages import gate_values, promotion_values
from engine.gates import registry
from engine.gates.naming import still_undecided
from engine.gates.protocol import GateContext, GateServices, GateType
from engine.model.canonical import canonical_json, digest_of_bytes
from engine.model.verdict import MAX_EVIDENCE_BYTES, Defer, Skip, Verdict

FROM_RECORD = frozenset({"security", "approval", "freeze_window", "previous_environment", "policy"})
"""Types that read no more than our database, so that what they were told is on record."""

NOT_NEEDED = "its say was not needed any more"
"""The reason of a gate that was skipped because another one had decided."""


async def ask(context: GateContext, services: GateServices) -> Verdict:
    """The gate's verdict for `context.now`; `Skip` where it need not be passed.

    Raises:
        InputError: no gate is of its type.
        GateError: the gate cannot decide, because what it reads is broken.
    """
    gate = registry.get(context.gate.type)
    return _recordable(skipped(gate, context) or await gate.evaluate(context, services))


def _recordable(verdict: Verdict) -> Verdict:
    """The verdict with evidence that fits into the record and into a signed statement."""
    try:
        evidence = canonical_json(verdict.evidence)
    except ValueError as error:
        raise GateError(f"its evidence cannot be put on record: {error}") from error
    if len(evidence) <= MAX_EVIDENCE_BYTES:
        return verdict
    omitted = {"omitted": {"bytes": len(evidence), "digest": digest_of_bytes(evidence)}}
    return verdict.model_copy(update={"evidence": omitted})


def skipped(gate: GateType, context: GateContext) -> Skip | Defer | None:
    """Why the gate has no say, or that it is not known yet; None when it has.

    Raises:
        GateError: its condition cannot be evaluated.
    """
    configured = context.gate
    if context.promotion.is_rollback:
        is_asked = (
            gate.holds_for_rollbacks
            if configured.on_rollback is None
            else configured.on_rollback == "ask"
        )
        if not is_asked:
            return Skip(reason="rollbacks need not pass it")
    if configured.when:
        undecided = still_undecided(context)
        if undecided:
            told = f"its condition depends on {', '.join(undecided)}"
            return Defer(reason=f"{told}; looks again then", memory=context.memory)
        if not _holds(configured.when, context):
            return Skip(reason=f"its condition is not met: {configured.when}")
    return None


def _holds(when: str, context: GateContext) -> bool:
    variables = {
        **promotion_values(context.promotion),
        "gates": gate_values(context.results),
        "now": context.now,
    }
    try:
        return compiled(when, Scope.GATE, Kind.BOOL).evaluate(variables) is True
    except InputError as error:
        raise GateError(f"its condition cannot be evaluated: {error}") from error
