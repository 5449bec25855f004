"""What a gate may ask of the outside, answered from the store; and the answers kept for the record.

A gate that is asked again with the same answers says the same, which is what a replay of a changed
policy over past promotions rests on.
"""

from __future__ import annotations

from temporalio import activity

from activities.plugin_calls import CallLog, current_calls
from engine.model.base import Json
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionSnapshot
from engine.model.standing import Standing
from engine.plugins.secrets import resolve
from engine.store.store import Store


class StoreServices:
    """`engine.gates.protocol.GateServices` for one question to one gate.

    Attributes:
        facts: the answers, as JSON data by question.
    """

    def __init__(self, store: Store, promotion: PromotionSnapshot) -> None:
        self.facts: dict[str, Json] = {}
        self._store = store
        self._promotion = promotion

    async def attachment(self, digest: str) -> bytes:
        """See the protocol. The digest tells the content, so nothing is kept."""
        return await self._store.releases.attachment(digest)

    async def standing(self, environment: str) -> Standing:
        """See the protocol."""
        found = await self._store.standings.of(
            self._promotion.tenant_id, self._promotion.release.id, environment
        )
        self.facts[f"standing/{environment}"] = found.model_dump(mode="json")
        return found

    async def freezes(self) -> tuple[Freeze, ...]:
        """See the protocol."""
        found = await self._store.freezes.of(
            self._promotion.tenant_id, self._promotion.environment.name
        )
        self.facts["freezes"] = [each.model_dump(mode="json") for each in found]
        return found

    @property
    def calls(self) -> CallLog:
        """See the protocol."""
        return current_calls()

    async def secret(self, reference: str) -> str:
        """See the protocol. Never kept."""
        return await resolve(reference, self.calls)

    def heartbeat(self) -> None:
        """See the protocol. A local activity has no heartbeat, and needs none."""
        if not activity.info().is_local:
            activity.heartbeat()
