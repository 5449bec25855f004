"""The status in the database, which follows the one that the workflow has."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import StatusRecord
    from activities.promotion import PromotionActivities
    from engine.model.failure import Failure
    from engine.model.status import PromotionStatus
    from engine.model.trace import UnsettledTrace
    from engine.model.verdict import Decision
    from workflows.logs import workflow_logger
    from workflows.options import BEST_EFFORT, SHORT

_log = workflow_logger(__name__)


class StoredStatus:
    """What the database says of one promotion's status, from the moment of its opening."""

    def __init__(self, promotion_id: UUID) -> None:
        self._promotion_id = promotion_id
        self._stored = self._wanted = PromotionStatus.PENDING
        self._following: asyncio.Task[None] | None = None

    async def store(
        self,
        status: PromotionStatus,
        decision: Decision | None,
        failure: Failure | None,
        unsettled: UnsettledTrace | None = None,
        superseded_by: UUID | None = None,
    ) -> None:
        """Store a status that the promotion depends on.

        Args:
            unsettled: with a final status, the trace that is to be settled.
            superseded_by: the promotion that took its place.

        Raises:
            FailureError: it could not be stored.
        """
        self._stored = self._wanted = status
        await self._stop_following()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_status,
            self._record(status, decision, failure, unsettled, superseded_by),
            summary=status.value,
            **SHORT,
        )

    def follow(self, status: PromotionStatus) -> None:
        """Store a status beside the promotion's work, for those who look at the database.

        Nothing waits for it, and where it fails nothing happens but that the database lags behind.
        """
        self._wanted = status
        if status is not self._stored and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while self._wanted is not self._stored:
            status = self._wanted
            try:
                await workflow.execute_local_activity_method(
                    PromotionActivities.record_status,
                    self._record(status),
                    summary=status.value,
                    **BEST_EFFORT,
                )
            except FailureError as error:
                level = logging.DEBUG if is_cancelled_exception(error) else logging.WARNING
                _log.log(level, "the status %s is not stored: %s", status.value, error)
                return
            self._stored = status

    async def _stop_following(self) -> None:
        # What it would still write is older than what comes now, and gives way to it.
        following, self._following = self._following, None
        if following is not None and not following.done():
            following.cancel()
            await workflow.wait([following])

    def _record(
        self,
        status: PromotionStatus,
        decision: Decision | None = None,
        failure: Failure | None = None,
        unsettled: UnsettledTrace | None = None,
        superseded_by: UUID | None = None,
    ) -> StatusRecord:
        return StatusRecord(
            promotion_id=self._promotion_id,
            status=status,
            decision=decision,
            failure=failure,
            superseded_by=superseded_by,
            at=workflow.now(),
            unsettled=unsettled,
        )
