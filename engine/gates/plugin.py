"""The gate `plugin`: whatever an installed plugin offers as a gate."""

from __future__ import annotations

from typing import ClassVar, cast

from engine.errors import PluginError
from engine.gates.configuration import applied, gate_name
from engine.gates.protocol import GateContext, GateServices
from engine.model.base import Document, Json
from engine.model.canonical import canonical_json
from engine.model.environment import Gate
from engine.model.identity import gate_key
from engine.model.verdict import (
    MAX_EVIDENCE_BYTES,
    Allow,
    AttributeValue,
    Defer,
    Deny,
    Skip,
    Verdict,
)
from engine.plugins.messages import GateFacts, GateParams, GateReply, PromotionFacts
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.registry import find
from engine.plugins.use import Answered, PluginUse, call, problems, refused


class PluginGate:
    """Asks a plugin; a plugin that gives no usable answer breaks the gate."""

    config: ClassVar[type[Document]] = PluginUse
    type: ClassVar[str] = "plugin"
    holds_for_rollbacks: ClassVar[bool] = True

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Give the plugin's verdict.

        Raises:
            InputError: the plugin is not installed here, or its inputs do not fit it any more.
            PluginError: it gave no usable answer.
        """
        use = applied(context.gate, PluginUse)
        calls = services.calls
        promotion = context.promotion
        if promotion.is_rollback and context.gate.on_rollback is None:
            installed = await find(use.plugin, calls)
            if not installed.offer(OfferKind.GATE, use.offer).holds_for_rollbacks:
                return Skip(reason="rollbacks need not pass it")
        name = gate_name(context.gate)
        reply, answered = await call(
            use,
            OfferKind.GATE,
            Method.GATE_EVALUATE,
            GateParams(
                gate=name,
                promotion=PromotionFacts.of(promotion),
                results=tuple(GateFacts.of(result) for result in context.results),
                memory=context.memory,
                opened_at=context.opened_at,
                now=context.now,
            ),
            GateReply,
            key=gate_key(promotion.promotion_id, name),
            resolve_secret=services.secret,
            calls=calls,
        )
        return _verdict(reply, answered)


def check_use(gate: Gate, use: PluginUse) -> None:
    """Hold a gate that somebody wants to apply against the plugin.

    Raises:
        InputError: names `gates.<name>.config.<path>`.
    """
    found = problems(use, OfferKind.GATE)
    if found:
        raise refused(f"gates.{gate_name(gate)}.config", found)


def _verdict(reply: GateReply, answered: Answered) -> Verdict:
    plugin = answered.plugin
    evidence: dict[str, Json] = {"plugin": cast("Json", answered.model_dump(mode="json"))}
    if reply.evidence:
        evidence["answer"] = reply.evidence
    if len(canonical_json(evidence)) > MAX_EVIDENCE_BYTES:
        size = MAX_EVIDENCE_BYTES // 1024
        raise PluginError(
            f"plugin {plugin}: its evidence is larger than {size} KiB", retryable=False
        )
    attributes: dict[str, AttributeValue] = {
        "plugin.id": plugin,
        "plugin.offer": answered.offer,
        **{f"{plugin}.{name}": value for name, value in reply.attributes.items()},
    }
    inputs = {} if answered.digest is None else {f"plugin/{plugin}": answered.digest}
    if reply.verdict == "defer":
        return Defer(
            reason=reply.reason,
            attributes=attributes,
            inputs=inputs,
            evidence=evidence,
            until=reply.until,
            who=reply.who,
            memory=reply.memory,
        )
    verdict = Allow if reply.verdict == "allow" else Deny
    return verdict(reason=reply.reason, attributes=attributes, inputs=inputs, evidence=evidence)
