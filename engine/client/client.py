"""`PromotionClient`: start, follow and steer promotions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID, uuid4

from temporalio.client import Client

from activities.trace import Settlement
from engine.client.contract import UPDATE_APPROVE, UPDATE_CANCEL, UPDATE_REJECT
from engine.client.execution import find
from engine.client.outcome import result_of
from engine.client.settlement import settle
from engine.client.start import start
from engine.client.state import state_of
from engine.client.steer import steer
from engine.client.summary import PromotionSummary, summaries
from engine.client.waits import Wait, waits_of
from engine.client.watch import watch
from engine.errors import WaitTimeoutError
from engine.model.approval import CancelInput, VoteInput
from engine.model.promotion import (
    PromotionRequest,
    PromotionResult,
    PromotionState,
    PromotionStatus,
)


class PromotionClient:
    """Starts, follows and steers promotions through a Temporal client.

    `ref` is a promotion's id, or the id of its workflow. Every method raises
    `engine.errors.UnreachableError` when the server (or, where one is needed, a worker) does not
    answer, `NotFoundError` when there is no such promotion, and `PromotionEngineError` for
    everything that has no better name; never an error of Temporal's.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(
        self, request: PromotionRequest, *, promotion_id: UUID | None = None
    ) -> PromotionState:
        """Start a promotion and return its state once its request was found to be right.

        Args:
            promotion_id: names the promotion, so that starting it again changes nothing.

        Raises:
            InputError, NotFoundError: the request is wrong.
            ConflictError: `promotion_id` names a promotion with another request.
            UnreachableError: no worker took it up in time.
        """
        return await start(self._client, request, promotion_id or uuid4())

    async def promotion_id(self, ref: str | UUID) -> UUID:
        """The id of the promotion that `ref` names."""
        return (await find(self._client, ref)).promotion_id

    async def workflow_id(self, ref: str | UUID) -> str:
        """The id of the workflow that carries the promotion out."""
        return (await find(self._client, ref)).description.id

    async def state(self, ref: str | UUID) -> PromotionState:
        """Where the promotion stands now.

        Raises:
            InputError: its request was refused.
        """
        return await state_of(await find(self._client, ref))

    async def waits(self, ref: str | UUID) -> tuple[Wait, ...]:
        """What the promotion waits for now; nothing once it has ended.

        Raises:
            InputError: its request was refused.
        """
        return await waits_of(self._client, ref)

    async def result(
        self,
        ref: str | UUID,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - it ends in an error of ours
    ) -> PromotionResult:
        """Wait for the promotion's end and return its result, also when its work failed.

        Raises:
            InputError: its request was refused.
            WaitTimeoutError: it has not ended after `timeout`.
            PromotionEngineError: its workflow was terminated or timed out.
        """
        execution = await find(self._client, ref)
        try:
            async with asyncio.timeout(timeout.total_seconds() if timeout else None):
                return await result_of(execution)
        except TimeoutError as error:
            raise WaitTimeoutError(
                f"promotion {execution.promotion_id} has not ended yet; it goes on"
            ) from error

    def watch(self, ref: str | UUID) -> AsyncGenerator[PromotionState]:
        """The promotion's state now and after each change, up to the final one.

        Raises:
            InputError: its request was refused.
        """
        return watch(self._client, ref)

    async def approve(self, ref: str | UUID, user: str, comment: str = "") -> PromotionState:
        """Vote for the promotion.

        Raises:
            InputError: it does not take this vote; the message says why.
        """
        argument = VoteInput(user=user, comment=comment)
        return await steer(self._client, ref, UPDATE_APPROVE, argument)

    async def reject(self, ref: str | UUID, user: str, comment: str = "") -> PromotionState:
        """Vote against the promotion.

        Raises:
            InputError: it does not take this vote; the message says why.
        """
        argument = VoteInput(user=user, comment=comment)
        return await steer(self._client, ref, UPDATE_REJECT, argument)

    async def cancel(self, ref: str | UUID, user: str, reason: str = "") -> PromotionState:
        """Cancel the promotion.

        Raises:
            InputError: it cannot be cancelled any more.
        """
        argument = CancelInput(user=user, reason=reason)
        return await steer(self._client, ref, UPDATE_CANCEL, argument)

    async def settle(self, ref: str | UUID, within: timedelta) -> Settlement:
        """Bring to the collector what it lacks of an ended promotion's trace.

        Raises:
            InputError: the promotion has not ended.
            WaitTimeoutError: the collector has not taken the spans `within` that time.
        """
        return await settle(self._client, ref, within)

    async def list(
        self,
        tenant: str | None = None,
        environment: str | None = None,
        status: PromotionStatus | None = None,
        limit: int = 50,
    ) -> tuple[PromotionSummary, ...]:
        """The latest promotions that match, the youngest first.

        A promotion appears here a moment after it was started.

        Raises:
            InputError: a name cannot be one.
        """
        return await summaries(
            self._client, tenant=tenant, environment=environment, status=status, limit=limit
        )
