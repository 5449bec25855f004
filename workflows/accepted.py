"""What every message to a promotion needs: its record, once its request is resolved."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.ballot import Ballot
    from workflows.failures import refuse
    from workflows.freezing import Freezing
    from workflows.record import PromotionRecord


class AcceptedPromotion:
    """Base of the groups of messages that `promotion.request` takes."""

    def __init__(self) -> None:
        self._ballot = Ballot()
        self._freezing = Freezing(self._ballot.occasions)
        self._record: PromotionRecord | None = None
        self._refusal: ApplicationError | None = None

    async def _until_accepted(self) -> None:
        """Wait until the request is resolved.

        Raises:
            ApplicationError: it is refused.
        """
        # Without a wait where there is nothing to wait for: then no other update comes between what
        # a validator has found and what its handler does.
        if self._record is None and self._refusal is None:
            await workflow.wait_condition(
                lambda: self._record is not None or self._refusal is not None
            )
        if self._refusal is not None:
            raise ApplicationError(
                self._refusal.message, type=self._refusal.type, non_retryable=True
            )

    def _known(self) -> PromotionRecord:
        """The record of the resolved request."""
        if self._record is None:
            raise refuse("promotion", "its request is not resolved yet", "ask again in a moment")
        return self._record
