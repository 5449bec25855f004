"""The four DORA figures of an environment, over recorded deployments.

Source: https://dora.dev/guides/dora-metrics-four-keys/. What the record can and cannot tell is in
docs/metrics.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from engine.model.base import Value
from engine.model.delivery import Deployment

DAY = timedelta(days=1)


class Dora(Value):
    """The figures of one environment.

    Attributes:
        deployments: changes that were deployed or failed to be, within the window.
        failures: those of them that failed or were rolled back.
        unrecovered: failures, also earlier ones, that nothing has made good yet.
        deployment_frequency: changes deployed successfully, per day.
        lead_time_seconds: median from a release's registration to its first success; None
            without one.
        change_failure_rate: failures by deployments, 0 to 1; None without deployments.
        recovery_time_seconds: median from a failure to the success that made it good, over the
            recoveries within the window; None without one.
    """

    tenant: str
    environment: str
    deployments: int
    failures: int
    unrecovered: int
    deployment_frequency: float
    lead_time_seconds: float | None
    change_failure_rate: float | None
    recovery_time_seconds: float | None


def dora(
    deployments: Iterable[Deployment],
    environments: Iterable[tuple[str, str]],
    now: datetime,
    window: timedelta,
) -> list[Dora]:
    """The figures of each environment over the time from `now - window` to `now`.

    Args:
        deployments: in any order. Those from before the window count in no figure, but tell what
            is a rollback and what a recovery makes good; give twice the window.
        environments: tenant and name of those that are to have figures, deployments or not.
    """
    histories: dict[tuple[str, str], dict[str, list[Deployment]]] = {
        key: defaultdict(list) for key in environments
    }
    for one in sorted(deployments, key=lambda each: (each.ended_at, each.promotion_id)):
        if one.ended_at <= now:
            key = (one.tenant, one.environment)
            histories.setdefault(key, defaultdict(list))[one.product].append(one)
    return [
        _figures(tenant, environment, products.values(), now - window, window)
        for (tenant, environment), products in sorted(histories.items())
    ]


@dataclass
class _Change:
    """A release that came to an environment, and what became of it.

    Attributes:
        place: in the order of their coming, from 0.
        failed_at: when it failed, or when a rollback showed that it had.
    """

    deployment: Deployment
    place: int
    failed_at: datetime | None = None
    recovered_at: datetime | None = None


def _figures(
    tenant: str,
    environment: str,
    products: Iterable[Sequence[Deployment]],
    since: datetime,
    window: timedelta,
) -> Dora:
    changes: list[_Change] = []
    lead_times: list[float] = []
    for history in products:
        found, leads = _walk(history, since)
        changes += found
        lead_times += leads
    within = [change for change in changes if change.deployment.ended_at > since]
    succeeded = [change for change in within if change.deployment.succeeded]
    failed = [change for change in within if change.failed_at is not None]
    recoveries = [
        (change.recovered_at - change.failed_at).total_seconds()
        for change in changes
        if change.failed_at is not None
        and change.recovered_at is not None
        and change.recovered_at > since
    ]
    return Dora(
        tenant=tenant,
        environment=environment,
        deployments=len(within),
        failures=len(failed),
        unrecovered=sum(
            change.failed_at is not None and not change.recovered_at for change in changes
        ),
        deployment_frequency=len(succeeded) / (window / DAY),
        lead_time_seconds=median(lead_times) if lead_times else None,
        change_failure_rate=len(failed) / len(within) if within else None,
        recovery_time_seconds=median(recoveries) if recoveries else None,
    )


def _walk(history: Sequence[Deployment], since: datetime) -> tuple[list[_Change], list[float]]:
    """One product's deployments to one environment, in order, as changes and their lead times.

    A release that has run before changes nothing when it is deployed again. If a later one is in
    its place, that one is given up, so it had failed.
    """
    changes: list[_Change] = []
    lead_times: list[float] = []
    had: dict[UUID, _Change] = {}
    current: _Change | None = None
    for one in history:
        change = had.get(one.release_id)
        if change is None:
            failed_at = None if one.succeeded else one.ended_at
            change = _Change(one, len(changes), failed_at)
            changes.append(change)
        elif current is not None and current.place > change.place:
            current.failed_at = current.failed_at or current.deployment.ended_at
        if not one.succeeded:
            continue
        for failed in changes:
            if failed.failed_at is not None and failed.recovered_at is None:
                failed.recovered_at = one.ended_at
        if one.release_id not in had and one.ended_at > since:
            lead_times.append(max(0.0, (one.ended_at - one.registered_at).total_seconds()))
        had[one.release_id] = current = change
    return changes, lead_times
