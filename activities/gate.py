"""The activity that asks one gate."""

from __future__ import annotations

from temporalio import activity

from activities.gate_services import StoreServices
from engine.gates.asking import ask
from engine.gates.protocol import GateContext
from engine.model.base import Json, Value
from engine.model.plugin_call import PluginCall
from engine.model.verdict import Verdict
from engine.store.store import Store


class GateAnswer(Value):
    """A gate's verdict, and the calls of plugins that were made for it."""

    verdict: Verdict
    plugin_calls: tuple[PluginCall, ...] = ()


class GateActivities:
    """Activities over the gates and the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="gate.evaluate")
    async def evaluate(self, context: GateContext) -> GateAnswer:
        """Ask the gate for its verdict at `context.now`.

        Raises:
            GateError: the gate cannot decide, because what it reads is broken.
        """
        services = StoreServices(self._store, context.promotion)
        verdict = await ask(context, services)
        facts = {**services.facts, **_asked_with(context)}
        return GateAnswer(
            verdict=verdict.model_copy(update={"facts": facts, "asked_at": context.now})
        )


def _asked_with(context: GateContext) -> dict[str, Json]:
    """What cannot be learnt from the promotion's record, and is needed to ask again."""
    dumped = context.model_dump(mode="json", include={"memory", "callbacks"})
    return {key: value for key, value in dumped.items() if value}
