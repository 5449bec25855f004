"""What is counted over many promotions: their subjects, and the deployments that they made."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Timestamp, Value


class Subject(Value):
    """What a promotion is about, in names of which there are few."""

    tenant: str
    environment: str
    requested_at: Timestamp


class Deployment(Value):
    """A promotion that changed its environment, or tried to.

    Attributes:
        product: the release's name, without its version.
        registered_at: when the release was registered.
        succeeded: False when the promotion failed or could not be finished.
    """

    promotion_id: UUID
    tenant: str
    environment: str
    product: str
    release_id: UUID
    registered_at: Timestamp
    ended_at: Timestamp
    succeeded: bool


class Count(Value):
    """How many promotions of an environment have a status; `status` names it."""

    tenant: str
    environment: str
    status: str
    count: int


class GateCount(Value):
    """How many results of a gate have an outcome."""

    tenant: str
    environment: str
    name: str
    type: str
    outcome: str
    count: int


class Queue(Value):
    """An environment and how many promotions are recorded as waiting for its lock."""

    tenant: str
    tenant_id: UUID
    environment: str
    count: int
