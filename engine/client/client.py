"""`PromotionClient`: start, follow and steer promotions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from temporalio.client import Client

from activities.trace import Settlement
from engine.approvals.statement import Word
from engine.client.auto_promotion import look_again, waiting
from engine.client.contract import (
    UPDATE_ADVANCE,
    UPDATE_CANCEL,
    UPDATE_GATE_CALLBACK,
    UPDATE_OVERRIDE,
)
from engine.client.execution import find
from engine.client.explain import explain, with_obstacles
from engine.client.freezes import tell
from engine.client.outcome import result_of
from engine.client.retry import retry
from engine.client.settlement import settle
from engine.client.start import start
from engine.client.state import state_of
from engine.client.steer import steer
from engine.client.summary import PromotionSummary, summaries
from engine.client.voting import Signature, say
from engine.client.waits import Wait, waits_of
from engine.client.watch import watch
from engine.errors import WaitTimeoutError
from engine.model.approval import CancelInput
from engine.model.auto_promotion import AutoPromotionState
from engine.model.base import Json
from engine.model.callback import CallbackInput
from engine.model.obstacle import Explanation
from engine.model.operation import StepActionInput
from engine.model.override import OverrideInput
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

    async def with_obstacles(self, state: PromotionState) -> PromotionState:
        """That state with all that the promotion waits for in `waiting_for`.

        Lock, agents and workers, of which the promotion itself does not know, are among it.
        """
        return await with_obstacles(self._client, state)

    async def explain(self, ref: str | UUID) -> Explanation:
        """Why the promotion is not further, who can act, and when it goes on; or why it ended so.

        Raises:
            InputError: its request was refused.
        """
        return await explain(self._client, ref)

    async def waiting_by_rule(self, tenant: str, environment: str) -> AutoPromotionState | None:
        """Which release waits to be promoted to an environment by itself; None when none does."""
        return await waiting(self._client, tenant, environment)

    async def look_again_by_rule(self, tenant: str, environment: str) -> bool:
        """Have that release considered again, after a hold was set or lifted; whether one waits."""
        return await look_again(self._client, tenant, environment)

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

    async def approve(
        self,
        ref: str | UUID,
        user: str,
        comment: str = "",
        *,
        on_behalf_of: str | None = None,
        signature: Signature | None = None,
    ) -> PromotionState:
        """Vote for the promotion, with the release, template and policy that it has now.

        Args:
            on_behalf_of: whose vote it is, where somebody has delegated theirs to `user`.
            signature: with which key to sign it; needed where the environment demands it.

        Raises:
            InputError: it does not take this vote; the message says why.
        """
        return await say(
            self._client,
            ref,
            Word.APPROVE,
            user,
            comment,
            on_behalf_of=on_behalf_of,
            signature=signature,
        )

    async def reject(
        self,
        ref: str | UUID,
        user: str,
        comment: str = "",
        *,
        on_behalf_of: str | None = None,
        signature: Signature | None = None,
    ) -> PromotionState:
        """Vote against the promotion; arguments and errors as for `approve`."""
        return await say(
            self._client,
            ref,
            Word.REJECT,
            user,
            comment,
            on_behalf_of=on_behalf_of,
            signature=signature,
        )

    async def withdraw(
        self,
        ref: str | UUID,
        user: str,
        reason: str = "",
        *,
        signature: Signature | None = None,
    ) -> PromotionState:
        """Take an approval back, as long as it has not done its work; then one may vote again.

        Args:
            signature: with which key to sign it; needed where the approval was signed.

        Raises:
            InputError: there is none that could be taken back; the message says why.
        """
        return await say(self._client, ref, Word.WITHDRAW, user, reason, signature=signature)

    async def cancel(self, ref: str | UUID, user: str, reason: str = "") -> PromotionState:
        """Cancel the promotion.

        Raises:
            InputError: it cannot be cancelled any more.
        """
        argument = CancelInput(user=user, reason=reason)
        return await steer(self._client, ref, UPDATE_CANCEL, argument)

    async def retry(
        self, ref: str | UUID, user: str, node: str = "", reason: str = ""
    ) -> PromotionState:
        """Have a promotion tried again from a step on, without the steps before it.

        In flight, a halted step is tried again. For a promotion that has failed, another one is
        started which takes over what that one has done; the state is then that of the new one.

        Args:
            node: the node's id; may be left out where one step is halted, and of an ended promotion
                for just what had not succeeded.

        Raises:
            InputError: it cannot be tried again; the message says why.
        """
        action = StepActionInput(user=user, node=node, reason=reason)
        return await retry(self._client, ref, action)

    async def advance(
        self, ref: str | UUID, user: str, node: str = "", reason: str = ""
    ) -> PromotionState:
        """Let a step go on that waits for a person.

        Args:
            node: the node's id; may be left out where one step waits so.

        Raises:
            InputError: no such step waits, or not for this person.
        """
        argument = StepActionInput(user=user, node=node, reason=reason)
        return await steer(self._client, ref, UPDATE_ADVANCE, argument)

    async def override(
        self, ref: str | UUID, user: str, reason: str, gate: str = ""
    ) -> PromotionState:
        """Pass over a gate that holds the promotion up.

        Args:
            gate: its name; may be left out where the user may override only one.

        Raises:
            InputError: the user may not, or no such gate holds it up.
        """
        argument = OverrideInput(user=user, reason=reason, gate=gate)
        return await steer(self._client, ref, UPDATE_OVERRIDE, argument)

    async def call_back(
        self, ref: str | UUID, gate: str, token: str, body: Mapping[str, Json]
    ) -> PromotionState:
        """Answer a gate that asked somebody outside and waits for the answer.

        Args:
            token: what the gate gave out with its question.
            body: the answer; for an `http` gate `{"verdict": "allow", "reason": "…"}`.

        Raises:
            InputError: no such gate waits for it, or it gave out another token.
        """
        argument = CallbackInput(gate=gate, token=token, body=dict(body))
        return await steer(self._client, ref, UPDATE_GATE_CALLBACK, argument)

    async def freezes_changed(self, workflow_ids: Sequence[str]) -> int:
        """Have promotions look again for freezes, after one was set or lifted.

        Args:
            workflow_ids: as `FreezeRepository.add` and `lift` return them.

        Returns:
            How many of them were under way.
        """
        return await tell(self._client, workflow_ids)

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
