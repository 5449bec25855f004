"""Where a promotion that is under way may be stopped by a freeze, and how it waits there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contract import BoundaryQuestion
    from activities.freeze import FreezeActivities
    from engine.gates.freeze_window import FIRST_LOOK, LONGEST_LOOK
    from engine.model.freeze import Closure, FreezeExemptions, OnClose
    from engine.model.promotion import PromotionSnapshot
    from engine.model.verdict import Override
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from workflows import waiting
    from workflows.logs import workflow_logger
    from workflows.occasions import SHORTEST_WAIT
    from workflows.options import SHORT

_log = workflow_logger(__name__)

Told = Callable[[Closure | None], Awaitable[None]]


class Boundary:
    """The freezes that one workflow meets.

    Attributes:
        waited: for how long it waited for them, in all.
    """

    def __init__(self) -> None:
        self.waited = timedelta()
        self._changes = 0
        self._overrides: tuple[Override, ...] = ()

    def look_again(self) -> None:
        """Say that freezes may have changed."""
        self._changes += 1

    def override(self, override: Override) -> None:
        """Take somebody's word that a gate's freezes are to be passed over."""
        self._overrides = (*self._overrides, override)
        self.look_again()

    async def passed(
        self,
        promotion: PromotionSnapshot,
        exemptions: FreezeExemptions,
        told: Told,
        *,
        has_begun: bool,
    ) -> Closure | None:
        """Wait until no freeze holds, or one demands something else than waiting.

        Args:
            told: awaited when the waiting begins, when what is waited for changes, and with None
                when it ends.
            has_begun: whether targets were changed already.

        Returns:
            What ends the work; None when it goes on.

        Raises:
            FailureError: it could not be looked at.
        """
        waiting_since, known, looks = workflow.now(), None, 0
        while True:
            seen = self._changes
            found = await self._ask(promotion, exemptions, has_begun=has_begun)
            if found is None or found.on_close is not OnClose.PAUSE:
                break
            if found != known:
                _log.info(
                    "waits: %s",
                    found.reason,
                    extra=event(events.FREEZE_WAITING, {names.GATE_NAME: found.gate}),
                )
                await told(found)
                if known is None:
                    # Until now nobody knew that it wants to be told of changes.
                    known = found
                    continue
                known = found
            await self._wait(found, seen, looks)
            looks += 1
        if known is not None:
            waited = workflow.now() - waiting_since
            self.waited += waited
            _log.info(
                "goes on after %.1f s" if found is None else "ends after %.1f s",
                waited.total_seconds(),
                extra=event(
                    events.FREEZE_OVER, {names.FREEZE_WAIT_SECONDS: waited.total_seconds()}
                ),
            )
            await told(None)
        return found

    async def _ask(
        self, promotion: PromotionSnapshot, exemptions: FreezeExemptions, *, has_begun: bool
    ) -> Closure | None:
        overrides = (*exemptions.overrides, *self._overrides)
        answer = await workflow.execute_local_activity_method(
            FreezeActivities.check,
            BoundaryQuestion(
                promotion=promotion,
                exemptions=exemptions.model_copy(update={"overrides": overrides}),
                has_begun=has_begun,
                at=workflow.now(),
            ),
            summary="freezes",
            **SHORT,
        )
        return answer.closure

    async def _wait(self, found: Closure, seen: int, looks: int) -> None:
        """Sleep until the freeze ends, or may have changed."""
        now, until = workflow.now(), found.until
        if found.by_hand:
            # Word that it was lifted may have been lost.
            look = now + min(FIRST_LOOK * (1 << min(looks, 10)), LONGEST_LOOK)
            until = look if until is None else min(look, until)
        timeout = None
        if until is not None:
            timeout = max(SHORTEST_WAIT, (until - now).total_seconds())
        await waiting.until(lambda: self._changes > seen, timeout, "freeze")
