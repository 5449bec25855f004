"""The activity that asks one gate."""

from __future__ import annotations

from temporalio import activity

from engine.gates import registry
from engine.gates.protocol import GateContext
from engine.model.base import Value
from engine.model.verdict import Verdict
from engine.store.store import Store


class GateAnswer(Value):
    """A gate's verdict."""

    verdict: Verdict


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
        gate = registry.get(context.gate.type)
        return GateAnswer(verdict=await gate.evaluate(context, self._store.releases.attachment))
