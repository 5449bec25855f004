"""What waits: promotions in the queues of environments, traces to be settled."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import UnreachableError
from engine.metrics import names
from engine.metrics.observation import Attributes, Readings
from engine.model import search_attributes
from engine.model.delivery import Queue
from engine.model.promotion import PromotionStatus
from engine.store.statistics import StatisticsRepository
from engine.store.traces import TraceRepository
from engine.telemetry.names import PROMOTION_REQUEST

WAITING = (names.LOCK_QUEUE, names.SETTLEMENT_BACKLOG)

_RUNNING = "ExecutionStatus = 'Running'"


class Waiting:
    """Counts running workflows by Temporal's visibility store, and unsettled traces by ours."""

    def __init__(
        self, client: Client, statistics: StatisticsRepository, traces: TraceRepository
    ) -> None:
        self._client = client
        self._statistics = statistics
        self._traces = traces

    async def read(self) -> Readings:
        """Count.

        Raises:
            UnreachableError: the server or the database does not answer.
        """
        queues: list[tuple[float, Attributes]] = []
        for queue in await self._statistics.queues():
            # Few environments have a queue at all, and those that have none are not asked about.
            # A promotion that was terminated in a queue is still recorded there, but runs no more.
            length = await self._waiting(queue) if queue.count else 0
            where = {
                names.TENANT_NAME: queue.tenant,
                names.ENVIRONMENT_NAME: queue.environment,
            }
            queues.append((length, where))
        backlog = await self._traces.backlog()
        return {names.LOCK_QUEUE.name: queues, names.SETTLEMENT_BACKLOG.name: [(backlog, {})]}

    async def _waiting(self, queue: Queue) -> int:
        return await self._count(
            f"WorkflowType = '{PROMOTION_REQUEST}' AND {_RUNNING}"
            f" AND {search_attributes.PROMOTION_STATUS} = '{PromotionStatus.QUEUED}'"
            f" AND {search_attributes.TENANT_ID} = '{queue.tenant_id}'"
            f" AND {search_attributes.ENVIRONMENT_NAME} = '{queue.environment}'"
        )

    async def _count(self, query: str) -> int:
        try:
            return (await self._client.count_workflows(query)).count
        except RPCError as error:
            raise UnreachableError(f"Temporal does not count workflows: {error.message}") from error
