"""`environment.lock`: one promotion at a time deploys to an environment, in order of request.

With `queue: latest-wins` a newer promotion takes the place of the older ones in the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from uuid import UUID

    from activities.environment_lock import LockEnvironment, is_holder_alive, request_lock
    from engine.converter import Undecodable
    from engine.model.environment import QueuePolicy
    from engine.model.lock import (
        LockRequest,
        LockState,
        Superseded,
        SupersededRequest,
        lock_workflow_id,
    )
    from engine.model.promotion import PromotionSnapshot
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from workflows import waiting
    from workflows.failures import parse
    from workflows.logs import workflow_logger
    from workflows.options import SHORT

_log = workflow_logger(__name__)

WATCH_INTERVAL = timedelta(seconds=10)
"""How often a holder is looked at while others wait, in case that it died without a word."""


@workflow.defn(name="environment.lock")
class EnvironmentLockWorkflow:
    """Grants the environment to one promotion after the other, and ends when nobody wants it.

    A promotion asks by the signal `request`, is told by its own signal `lock_granted` with the
    request's nonce, and gives the lock back by `release`. A holder that no longer runs gives it
    back by being gone. One that loses its place in the queue is told so by `lock_superseded`.
    """

    def __init__(self) -> None:
        self._holder: LockRequest | None = None
        self._queue: list[LockRequest] = []
        self._superseded: list[SupersededRequest] = []
        self._early: list[Callable[[], None]] | None = []
        """Signals that came before the state was known; None when it is."""

    @workflow.run
    async def run(self, given: LockState | Undecodable | None = None) -> None:
        """Hand the lock around until nobody holds or wants it.

        Args:
            given: where the run before stopped, when it was continued as new.

        Raises:
            ApplicationError: of type `InputError` when it was started with something else.
        """
        if given is not None:
            state = parse(LockState, given, "the input of environment.lock")
            self._holder, self._queue = state.holder, list(state.queue)
            self._superseded = list(state.superseded)
        early, self._early = self._early or [], None
        for signal in early:
            signal()
        self._show()
        while True:
            await self._tell_superseded()
            if self._holder is None and not await self._grant_next():
                if self._superseded:
                    continue
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.state())
            await self._look_after_holder()

    @workflow.signal
    def request(self, wanted: LockRequest) -> None:
        """Queue a promotion; asking twice is asking once."""
        if self._early is not None:
            self._early.append(partial(self.request, wanted))
            return
        # A workflow that asks anew, under its id used again or after a reset, is gone as it was.
        if self._holder is not None and _replaces(wanted, self._holder):
            self._holder = None
        self._queue = [one for one in self._queue if not _replaces(wanted, one)]
        known = [one for one in (self._holder, *self._queue) if one is not None]
        if all(one.nonce != wanted.nonce for one in known):
            self._queue = [one for one in self._queue if not self._gives_way(one, wanted)]
            newest = next((one for one in self._queue if one.takes_the_place_of(wanted)), None)
            if newest is None:
                self._queue.append(wanted)
            else:
                self._supersede(wanted, newest)
            self._show()

    @workflow.signal
    def release(self, promotion_id: UUID) -> None:
        """Give the lock back, or leave the queue."""
        if self._early is not None:
            self._early.append(partial(self.release, promotion_id))
            return
        if self._holder is not None and self._holder.promotion_id == promotion_id:
            self._holder = None
        self._queue = [one for one in self._queue if one.promotion_id != promotion_id]
        self._show()

    @workflow.query
    def state(self) -> LockState:
        """Who holds the lock, and who waits for it."""
        return LockState(
            holder=self._holder, queue=tuple(self._queue), superseded=tuple(self._superseded)
        )

    def _gives_way(self, queued: LockRequest, wanted: LockRequest) -> bool:
        """Whether a queued promotion loses its place to the one that asks now."""
        if not wanted.takes_the_place_of(queued):
            return False
        self._supersede(queued, wanted)
        return True

    def _supersede(self, one: LockRequest, by: LockRequest) -> None:
        notice = Superseded(nonce=one.nonce, by=by.promotion_id, release=by.release)
        self._superseded.append(SupersededRequest(request=one, notice=notice))

    async def _tell_superseded(self) -> None:
        """Tell those that have lost their place; one that is gone need not know."""
        while self._superseded:
            told = self._superseded[0]
            try:
                await workflow.get_external_workflow_handle(
                    told.request.workflow_id, run_id=told.request.run_id
                ).signal("lock_superseded", told.notice)
            except ApplicationError as error:
                _log.info("promotion %s is gone: %s", told.request.promotion_id, error)
            self._superseded.pop(0)

    async def _grant_next(self) -> bool:
        """Grant the lock to the first in the queue that still runs; False when there is none."""
        while self._queue:
            self._holder = self._queue.pop(0)
            self._show()
            granted_to = self._holder
            try:
                await workflow.get_external_workflow_handle(
                    granted_to.workflow_id, run_id=granted_to.run_id
                ).signal("lock_granted", granted_to.nonce)
            except ApplicationError:
                # The promotion is gone. Unless it has said so already, the lock is free again.
                if self._holder is granted_to:
                    self._holder = None
                continue
            if self._holder is not None:
                return True
        return False

    async def _look_after_holder(self) -> None:
        """Return when the lock is free again, or was looked after once while others wait."""
        await workflow.wait_condition(lambda: self._is_free_to_act() or bool(self._queue))
        if not await waiting.until(self._is_free_to_act, WATCH_INTERVAL):
            holder = self._holder
            if holder is not None and not await self._is_alive(holder):
                _log.warning(
                    "promotion %s is gone and gives the environment back",
                    holder.promotion_id,
                    extra=event(
                        events.LOCK_RECLAIMED, {names.PROMOTION_ID: str(holder.promotion_id)}
                    ),
                )
                self.release(holder.promotion_id)

    def _is_free_to_act(self) -> bool:
        return self._holder is None or bool(self._superseded)

    async def _is_alive(self, holder: LockRequest) -> bool:
        return await workflow.execute_local_activity(is_holder_alive, holder, **SHORT)

    def _show(self) -> None:
        lines = ["nobody deploys" if self._holder is None else f"deploys: {_line(self._holder)}"]
        lines += [f"{place}. {_line(one)}" for place, one in enumerate(self._queue, start=1)]
        workflow.set_current_details("\n\n".join(lines))


def _replaces(wanted: LockRequest, other: LockRequest) -> bool:
    return wanted.workflow_id == other.workflow_id and wanted.nonce != other.nonce


def _line(one: LockRequest) -> str:
    return f"**{one.release}** for {one.requested_by}, promotion `{one.promotion_id}`"


class EnvironmentLock:
    """The lock of one environment, as a promotion's workflow sees it."""

    def __init__(self) -> None:
        self._nonce = ""
        self._granted = False
        self._superseded: Superseded | None = None
        # A reset makes another run of the workflow, and deals it another seed.
        workflow.register_random_seed_callback(lambda _: self._forget())

    @property
    def is_held(self) -> bool:
        """Whether this run has been granted the lock."""
        return self._granted

    @property
    def superseded(self) -> Superseded | None:
        """Which promotion took this one's place in the queue; None when none did."""
        return self._superseded

    def supersede(self, notice: Superseded) -> None:
        """The lock says that the request has lost its place; any other word is not heard."""
        if self._nonce and notice.nonce == self._nonce and not self._granted:
            self._superseded = notice
        else:
            _log.warning("dropped word of a lost place that answers no request of this run")

    def grant(self, nonce: str) -> None:
        """The lock says that the request with this nonce has it; any other word is not heard."""
        if self._nonce and nonce == self._nonce:
            self._granted = True
        else:
            _log.warning("dropped a grant of the lock that answers no request of this run")

    def _forget(self) -> None:
        self._nonce, self._granted, self._superseded = "", False, None

    async def acquire(self, promotion: PromotionSnapshot) -> None:
        """Ask for the lock and wait until it is granted, however long that takes.

        A run that came of a reset asks again: what was granted was granted to the run before.
        Returns without the lock when a newer promotion has taken this one's place.
        """
        asked_at = workflow.now()
        name = promotion.environment.name
        while not self._granted:
            self._nonce = str(workflow.uuid4())
            await self._request(promotion, self._nonce)
            _log.info("waits for its turn in %s", name, extra=event(events.LOCK_WAITING))
            await workflow.wait_condition(
                lambda: self._granted or self._superseded is not None or not self._nonce
            )
            if self._superseded is not None:
                _log.info(
                    "%s takes its place in the queue of %s",
                    self._superseded.release,
                    name,
                    extra=event(events.LOCK_SUPERSEDED),
                )
                return
        waited = (workflow.now() - asked_at).total_seconds()
        _log.info(
            "its turn in %s came after %.1f s",
            name,
            waited,
            extra=event(events.LOCK_GRANTED, {names.LOCK_WAIT_SECONDS: waited}),
        )

    async def _request(self, promotion: PromotionSnapshot, nonce: str) -> None:
        await workflow.execute_local_activity(
            request_lock,
            LockEnvironment(
                tenant=promotion.tenant,
                environment=promotion.environment.name,
                request=LockRequest(
                    promotion_id=promotion.promotion_id,
                    nonce=nonce,
                    workflow_id=promotion.workflow_id,
                    release=promotion.release.ref,
                    requested_by=promotion.requested_by,
                    at=workflow.now(),
                    requested_at=promotion.requested_at,
                    supersedes=promotion.environment.queue is QueuePolicy.LATEST_WINS,
                    is_rollback=promotion.is_rollback,
                ),
            ),
            summary=f"lock of {promotion.environment.name}",
            **SHORT,
        )

    async def release(self, promotion: PromotionSnapshot) -> None:
        """Give the lock back, or leave its queue."""
        lock = lock_workflow_id(promotion.tenant, promotion.environment.name)
        try:
            await workflow.get_external_workflow_handle(lock).signal(
                EnvironmentLockWorkflow.release, promotion.promotion_id
            )
        except ApplicationError as error:
            # A lock that is gone is held by nobody.
            _log.warning("the lock %s took no signal: %s", lock, error)
