"""Answers to a gate's questions that change nothing: from the record, the store, a made-up case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from engine.errors import InputError, NotFoundError
from engine.model.base import Json
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionSnapshot
from engine.model.standing import Standing
from engine.plugins.calls import Calls, Unrecorded
from engine.plugins.secrets import resolve
from engine.store.store import Store


class RecordedServices:
    """`engine.gates.protocol.GateServices` from the record of a promotion.

    What a gate was told then it is told again. What it was not asked then is looked up in the
    record as of that moment: who had succeeded where, and which freezes had been set.

    Args:
        facts: as the gates' results hold them.
        freezes: all that the tenant ever had.
        at: the moment that is asked for.

    Attributes:
        missing: what was asked and is not on record.
    """

    def __init__(
        self,
        store: Store,
        promotion: PromotionSnapshot,
        facts: Mapping[str, Json],
        freezes: Sequence[Freeze],
        at: datetime,
    ) -> None:
        self.missing: list[str] = []
        self._store = store
        self._promotion = promotion
        self._facts = facts
        self._freezes = freezes
        self._at = at

    async def attachment(self, digest: str) -> bytes:
        """See the protocol. The digest tells the content."""
        return await self._store.releases.attachment(digest)

    async def standing(self, environment: str) -> Standing:
        """See the protocol."""
        given = self._facts.get(f"standing/{environment}")
        if given is not None:
            return Standing.model_validate(given)
        promotion = self._promotion
        return await self._store.standings.of(
            promotion.tenant_id, promotion.release.id, environment, at=self._at
        )

    async def freezes(self) -> tuple[Freeze, ...]:
        """See the protocol."""
        given = self._facts.get("freezes")
        if isinstance(given, list):
            return tuple(Freeze.model_validate(each) for each in given)
        return tuple(self._as_they_were())

    @property
    def calls(self) -> Calls:
        """Refused: a replay calls no plugins."""
        raise self._unknown("an answer of a plugin")

    async def secret(self, reference: str) -> str:
        """Refused: a replay calls nothing."""
        raise self._unknown("a secret")

    def heartbeat(self) -> None:
        """Nothing to tell."""

    def _as_they_were(self) -> Iterator[Freeze]:
        for each in self._freezes:
            is_here = each.environment in (None, self._promotion.environment.name)
            if not is_here or each.created_at > self._at:
                continue
            if each.lifted_at is None or each.lifted_at > self._at:
                yield each.model_copy(
                    update={"lifted_by": None, "lifted_at": None, "lift_reason": ""}
                )

    def _unknown(self, what: str) -> InputError:
        self.missing.append(what)
        return InputError(what, "is not on record, so that a replay cannot tell")


class StoreServices:
    """The same from the store as it is now, for a look ahead that changes nothing.

    Attributes:
        missing: always empty.
    """

    def __init__(self, store: Store, promotion: PromotionSnapshot) -> None:
        self.missing: list[str] = []
        self.calls: Calls = Unrecorded()
        self._store = store
        self._promotion = promotion

    async def attachment(self, digest: str) -> bytes:
        """See the protocol."""
        return await self._store.releases.attachment(digest)

    async def standing(self, environment: str) -> Standing:
        """See the protocol."""
        promotion = self._promotion
        return await self._store.standings.of(
            promotion.tenant_id, promotion.release.id, environment
        )

    async def freezes(self) -> tuple[Freeze, ...]:
        """See the protocol."""
        promotion = self._promotion
        return await self._store.freezes.of(promotion.tenant_id, promotion.environment.name)

    async def secret(self, reference: str) -> str:
        """See the protocol."""
        return await resolve(reference, self.calls)

    def heartbeat(self) -> None:
        """Nobody listens."""


class GivenServices:
    """The same from values that somebody gave.

    Args:
        attachments: bytes by digest.
        standings: by environment.

    Attributes:
        missing: what was asked and is not given.
    """

    def __init__(
        self,
        attachments: Mapping[str, bytes],
        standings: Mapping[str, Standing],
        freezes: tuple[Freeze, ...],
    ) -> None:
        self.missing: list[str] = []
        self._attachments = attachments
        self._standings = standings
        self._freezes = freezes

    async def attachment(self, digest: str) -> bytes:
        """See the protocol."""
        if digest not in self._attachments:
            raise NotFoundError("digest", f"nothing is given under {digest}")
        return self._attachments[digest]

    async def standing(self, environment: str) -> Standing:
        """See the protocol. What is not given has not been there."""
        return self._standings.get(environment, Standing(environment=environment))

    async def freezes(self) -> tuple[Freeze, ...]:
        """See the protocol."""
        return self._freezes

    @property
    def calls(self) -> Calls:
        """Refused: a test calls no plugins."""
        raise self._unknown("an answer of a plugin")

    async def secret(self, reference: str) -> str:
        """Refused: a test needs none."""
        raise self._unknown("a secret")

    def heartbeat(self) -> None:
        """Nobody listens."""

    def _unknown(self, what: str) -> InputError:
        self.missing.append(what)
        return InputError(what, "is not given, and a test calls nothing")
