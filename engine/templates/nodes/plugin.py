"""The node type `plugin`: whatever an installed plugin offers as a step."""

from __future__ import annotations

from typing import ClassVar

from engine.errors import StepError
from engine.model.base import Document
from engine.plugins.messages import PromotionFacts, StepParams, StepReply
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.use import PluginUse, call
from engine.templates.protocol import StepReport, StepServices, StepWork


class Plugin:
    """Does what an installed plugin offers as a step; puts out what the plugin does."""

    inputs: ClassVar[type[Document]] = PluginUse
    type: ClassVar[str] = "plugin"

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Call the plugin."""
        reply, answered = await call(
            PluginUse.model_validate(work.inputs),
            OfferKind.STEP,
            Method.STEP_RUN,
            StepParams(
                step=work.node_id,
                attempt=work.attempt,
                promotion=PromotionFacts.of(work.promotion),
            ),
            StepReply,
            key=work.idempotency_key,
            resolve_secret=services.secret,
            calls=services.calls,
        )
        detail = f"plugin {answered.plugin}: {reply.detail or 'no detail'}"
        if not reply.succeeded:
            raise StepError(detail, reply.outputs)
        return StepReport(detail=detail, outputs=reply.outputs)
