"""Approve, reject, and take an approval back; with a signature where a key is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio.client import Client

from engine.approvals.keys import ApproverSigner
from engine.approvals.sign import sign
from engine.approvals.statement import ApprovalStatement, Word, statement_of
from engine.client.contract import UPDATE_APPROVE, UPDATE_REJECT, UPDATE_WITHDRAW
from engine.client.execution import find
from engine.client.state import state_of
from engine.client.steer import steer
from engine.client.workers import NoWorkerError, require_worker
from engine.errors import EvidenceError, InputError
from engine.model.approval import VoteInput, WithdrawInput
from engine.model.base import Json
from engine.model.promotion import PromotionState

_WORKER_WITHIN = timedelta(seconds=5)
_UPDATES = {
    Word.APPROVE: UPDATE_APPROVE,
    Word.REJECT: UPDATE_REJECT,
    Word.WITHDRAW: UPDATE_WITHDRAW,
}


@dataclass(frozen=True)
class Signature:
    """How a vote is to be signed.

    Attributes:
        key: the voter's.
        show: called with what is to be signed, before it is; raises what is to stop it.
    """

    key: ApproverSigner
    show: Callable[[ApprovalStatement], None] = lambda _: None


async def say(
    client: Client,
    ref: str | UUID,
    word: Word,
    user: str,
    comment: str,
    *,
    on_behalf_of: str | None = None,
    signature: Signature | None = None,
) -> PromotionState:
    """Send a vote on what the promotion is about now, or take one back.

    Args:
        on_behalf_of: whose vote it is; of a withdrawal the promotion knows.

    Raises:
        InputError: the promotion does not take it; the message says why.
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    state: PromotionState | None = None
    if execution.is_open:
        await require_worker(client, _WORKER_WITHIN)
        try:
            state = await state_of(execution)
        except NoWorkerError:
            # The update waits for a worker longer than a question does. A plain vote can go without
            # the answer; it is bound to what the promotion is about when it is taken.
            if signature is not None or word is Word.WITHDRAW:
                raise
        else:
            if word is Word.WITHDRAW:
                on_behalf_of = _standing_for(state, user)
    envelope: dict[str, Json] | None = None
    if signature is not None and state is not None:
        try:
            statement = statement_of(
                state,
                word,
                user,
                comment=comment,
                on_behalf_of=on_behalf_of,
                signed_at=datetime.now(UTC),
            )
        except EvidenceError as error:
            raise InputError("promotion", str(error)) from error
        signature.show(statement)
        envelope = sign(statement, signature.key)
    argument: VoteInput | WithdrawInput
    if word is Word.WITHDRAW:
        argument = WithdrawInput(user=user, reason=comment, envelope=envelope)
    else:
        argument = VoteInput(
            user=user,
            comment=comment,
            binding=None if state is None else state.binding,
            on_behalf_of=on_behalf_of,
            envelope=envelope,
        )
    return await steer(client, ref, _UPDATES[word], argument)


def _standing_for(state: PromotionState, user: str) -> str | None:
    """On whose behalf the person's vote that counts was given."""
    given = (vote for vote in state.votes if vote.user == user and vote.withdrawn_at is None)
    vote = next(given, None)
    return None if vote is None else vote.on_behalf_of
