"""Deployments as the record has them, written in days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from engine.model.delivery import Deployment

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
WINDOW = timedelta(days=30)
_NAMES = UUID("0b5e6a54-9d0c-4a4e-8f55-5a54b6e1c001")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def deployment(
    version: str,
    days_ago: float,
    *,
    succeeded: bool = True,
    product: str = "shop",
    environment: str = "production",
    tenant: str = "acme",
    lead_days: float = 1.0,
    registered_days_ago: float | None = None,
) -> Deployment:
    """The deployment of `product@version` that ended `days_ago`, `lead_days` after registration."""
    registered = days_ago + lead_days if registered_days_ago is None else registered_days_ago
    return Deployment(
        promotion_id=uuid5(_NAMES, f"{tenant}/{environment}/{product}/{version}/{days_ago}"),
        tenant=tenant,
        environment=environment,
        product=product,
        release_id=uuid5(_NAMES, f"{tenant}/{product}/{version}"),
        registered_at=ago(registered),
        ended_at=ago(days_ago),
        succeeded=succeeded,
    )
