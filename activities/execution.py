"""Activities that record the run of a template."""

from __future__ import annotations

from temporalio import activity

from activities.contract import RunRecord, StepRecord
from engine.store.store import Store


class ExecutionActivities:
    """Activities over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="execution.record_run")
    async def record_run(self, record: RunRecord) -> None:
        """Keep the start or the end of a run."""
        await self._store.executions.record_run(
            record.promotion_id,
            record.run_id,
            record.template,
            record.template_version,
            record.status,
            record.started_at,
            record.ended_at,
        )

    @activity.defn(name="execution.record_step")
    async def record_step(self, record: StepRecord) -> None:
        """Keep a step's result."""
        await self._store.executions.record_step(record.promotion_id, record.result)
