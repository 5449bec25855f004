"""The right to deploy to an environment, which one promotion has at a time."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Timestamp, Value


class LockRequest(Value):
    """A promotion that wants to deploy; `workflow_id` is where the grant is told.

    Attributes:
        nonce: of this request alone; the grant repeats it.
        run_id: Temporal's id of the run that asks, which may be another one after a reset.
    """

    promotion_id: UUID
    nonce: str
    workflow_id: str
    run_id: str | None = None
    release: str
    requested_by: str
    at: Timestamp


class LockState(Value):
    """Who may deploy now, and who is next, in the order of request."""

    holder: LockRequest | None = None
    queue: tuple[LockRequest, ...] = ()


def lock_workflow_id(tenant: str, environment: str) -> str:
    """The id of the workflow `environment.lock` of an environment."""
    return f"environment/{tenant}/{environment}/lock"
