"""What the database tells: counts that survive every process, and the DORA figures.

Every worker tells the same numbers, so they are to be joined by their maximum and not by their sum.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.metrics import names
from engine.metrics.dora import Dora, dora
from engine.metrics.observation import Attributes, Readings
from engine.model.delivery import Deployment
from engine.model.promotion import PromotionStatus
from engine.model.verdict import GateOutcome
from engine.store.statistics import StatisticsRepository

COUNTS = (names.PROMOTIONS, names.GATE_RESULTS)
FIGURES = (
    names.DEPLOYMENT_FREQUENCY,
    names.LEAD_TIME,
    names.CHANGE_FAILURE_RATE,
    names.RECOVERY_TIME,
)

LATE = timedelta(hours=1)
"""How long after a promotion's end its record may still be written."""


class Counts:
    """How promotions and gates have ended.

    What never happened is told as 0, so that the first time is a change that can be seen.
    """

    def __init__(self, statistics: StatisticsRepository) -> None:
        self._statistics = statistics

    async def read(self) -> Readings:
        """Count, in the database."""
        ended = {
            (tenant, environment, status.value): 0
            for tenant, environment in await self._statistics.environments()
            for status in PromotionStatus
            if status.is_final
        }
        for count in await self._statistics.ended():
            ended[count.tenant, count.environment, count.status] = count.count
        gates = await self._statistics.gates()
        results = {
            (gate.tenant, gate.environment, gate.name, gate.type, outcome.value): 0
            for gate in gates
            for outcome in GateOutcome
        }
        for gate in gates:
            key = (gate.tenant, gate.environment, gate.name, gate.type, gate.outcome)
            results[key] = gate.count
        return {
            names.PROMOTIONS.name: [
                (number, {**_where(tenant, environment), names.PROMOTION_STATUS: status})
                for (tenant, environment, status), number in ended.items()
            ],
            names.GATE_RESULTS.name: [
                (
                    number,
                    {
                        **_where(tenant, environment),
                        names.GATE_NAME: name,
                        names.GATE_TYPE: kind,
                        names.GATE_RESULT: outcome,
                    },
                )
                for (tenant, environment, name, kind, outcome), number in results.items()
            ],
        }


class Figures:
    """The DORA figures over a sliding window.

    The deployments of the window are kept, so that each reading asks for the latest only.
    """

    def __init__(self, statistics: StatisticsRepository, window: timedelta) -> None:
        self._statistics = statistics
        self._window = window
        self._known: dict[UUID, Deployment] = {}
        self._latest: datetime | None = None

    async def compute(self, now: datetime) -> list[Dora]:
        """The figures of every environment."""
        oldest = now - 2 * self._window
        since = oldest if self._latest is None else max(oldest, self._latest - LATE)
        fresh = await self._statistics.deployments(since)
        environments = await self._statistics.environments()
        for one in fresh:
            self._known[one.promotion_id] = one
        self._latest = now
        for promotion_id in [key for key, one in self._known.items() if one.ended_at <= oldest]:
            del self._known[promotion_id]
        # In a thread: over a busy window it takes long for an event loop.
        return await asyncio.to_thread(
            dora, list(self._known.values()), environments, now, self._window
        )

    async def read(self) -> Readings:
        """The figures as of now; one that is not defined yet is left out."""
        found = await self.compute(datetime.now(UTC))
        readings: dict[str, list[tuple[float, Attributes]]] = {each.name: [] for each in FIGURES}
        for one in found:
            where = _where(one.tenant, one.environment)
            for metric, value in (
                (names.DEPLOYMENT_FREQUENCY, one.deployment_frequency),
                (names.LEAD_TIME, one.lead_time_seconds),
                (names.CHANGE_FAILURE_RATE, one.change_failure_rate),
                (names.RECOVERY_TIME, one.recovery_time_seconds),
            ):
                if value is not None:
                    readings[metric.name].append((value, where))
        return readings


def _where(tenant: str, environment: str) -> dict[str, str]:
    return {names.TENANT_NAME: tenant, names.ENVIRONMENT_NAME: environment}
