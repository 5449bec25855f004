"""Asking a gate as the workflow does: again and again, each time with what it remembered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.gates import registry
from engine.gates.protocol import Callback, GateContext
from engine.model.environment import Gate
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Defer, Verdict
from tests.gates.builders import NOON, Services, promotion


class Asked:
    """One gate of one promotion, from its first asking on.

    Attributes:
        callbacks: what was sent to it so far.
        memory: of its latest `Defer`.
    """

    def __init__(
        self,
        type: str,
        config: Mapping[str, Any],
        services: Services | None = None,
        snapshot: PromotionSnapshot | None = None,
    ) -> None:
        self.callbacks: list[Callback] = []
        self.memory: dict[str, Any] = {}
        self._gate = Gate(type=type, name="checked", config=dict(config))
        self._services = services or Services()
        self._promotion = snapshot or promotion()

    async def at(self, now: datetime = NOON) -> Verdict:
        verdict = await registry.get(self._gate.type).evaluate(
            GateContext(
                gate=self._gate,
                promotion=self._promotion,
                callbacks=tuple(self.callbacks),
                memory=self.memory,
                opened_at=NOON,
                now=now,
            ),
            self._services,
        )
        if isinstance(verdict, Defer):
            self.memory = verdict.memory
        return verdict
