"""The Temporal interceptor that sees what activities have recorded."""

from __future__ import annotations

from typing import Any, get_args

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contract import Resolution
from engine.metrics.durations import Durations, Record

_RECORDS = get_args(Record)


class MetricsInterceptor(Interceptor):
    """Hands what was recorded successfully to the durations; it adds no wait to an activity."""

    def __init__(self, durations: Durations) -> None:
        self._durations = durations

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound(next, self._durations)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, durations: Durations) -> None:
        super().__init__(next)
        self._durations = durations

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        result = await super().execute_activity(input)
        if isinstance(result, Resolution):
            self._durations.resolved(result)
        elif input.args and isinstance(input.args[0], _RECORDS):
            self._durations.recorded(input.args[0])
        return result
