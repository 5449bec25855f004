"""The right to deploy to an environment, which one promotion has at a time."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Timestamp, Value


class LockRequest(Value):
    """A promotion that wants to deploy; `workflow_id` is where the grant is told.

    Attributes:
        nonce: of this request alone; the grant repeats it.
        run_id: Temporal's id of the run that asks, which may be another one after a reset.
        at: when it asked for the lock.
        requested_at: when the promotion was requested, which may be long before; by it the newer
            of two is told.
        supersedes: whether it takes the place of older promotions in the queue, and gives way to
            a newer one that does (`queue: latest-wins`).
        is_rollback: that it brings an earlier release back; it is never superseded.
    """

    promotion_id: UUID
    nonce: str
    workflow_id: str
    run_id: str | None = None
    release: str
    requested_by: str
    at: Timestamp
    requested_at: Timestamp | None = None
    supersedes: bool = False
    is_rollback: bool = False

    def takes_the_place_of(self, other: LockRequest) -> bool:
        """Whether the other one has nothing left to do once this one is in the queue.

        Of two promotions of the same release in different versions the one that was requested later
        is the newer. A release of another name is another matter, and stays.
        """
        is_newer = (self.requested_at or self.at) > (other.requested_at or other.at)
        is_same = self.release.partition("@")[0] == other.release.partition("@")[0]
        return self.supersedes and is_same and is_newer and not other.is_rollback


class Superseded(Value):
    """That a promotion in the queue has lost its place to a newer one.

    Attributes:
        nonce: of the request that was queued.
        by: the promotion that took its place.
        release: what that one promotes.
    """

    nonce: str
    by: UUID
    release: str


class SupersededRequest(Value):
    """A request that lost its place, and what is to be told to its workflow."""

    request: LockRequest
    notice: Superseded


class LockState(Value):
    """Who may deploy now, and who is next, in the order of request.

    Attributes:
        superseded: those that have lost their place and are yet to be told.
    """

    holder: LockRequest | None = None
    queue: tuple[LockRequest, ...] = ()
    superseded: tuple[SupersededRequest, ...] = ()


def lock_workflow_id(tenant: str, environment: str) -> str:
    """The id of the workflow `environment.lock` of an environment."""
    return f"environment/{tenant}/{environment}/lock"
