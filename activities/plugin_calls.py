"""The plugin calls of an activity: on record with its result, its error and its heartbeats.

Workflow code makes a span of each. Temporal hands the details of the last heartbeat to the next
attempt, so that the attempt that ends the work also tells of the calls of those before it
(https://docs.temporal.io/encyclopedia/detecting-activity-failures#activity-heartbeat).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from opentelemetry import context as otel_context
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from engine.errors import PluginError
from engine.model.base import Value
from engine.model.failure import Failure
from engine.model.plugin_call import PluginCall
from engine.plugins.protocol import Method
from engine.telemetry import ids, names
from engine.telemetry.plugin_calls import DETAIL, LOST, told_by
from engine.telemetry.propagation import from_otel, to_otel

LONGEST_MESSAGE = 1000
"""Characters of a failure's message that are kept; every heartbeat carries all of them."""

_current: ContextVar[CallLog] = ContextVar("promotion_engine_plugin_calls")


def current_calls() -> CallLog:
    """The log of the activity at hand.

    It is told to the workflow by `PluginCallsInterceptor`; without that, nobody hears of it.
    """
    return _current.get(None) or CallLog()


class CallLog:
    """`engine.plugins.calls.Calls` of one activity.

    Attributes:
        details: what the activity itself told with its last heartbeat that told anything.
    """

    def __init__(self) -> None:
        self.details: tuple[Any, ...] = ()
        info = activity.info()
        self._prefix = f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
        self._begun = 0
        self._ended = list(told_by(info.heartbeat_details))
        self._open: dict[str, PluginCall] = {}

    @property
    def told(self) -> tuple[PluginCall, ...]:
        """All calls so far, those of earlier attempts included; what goes on ends now."""
        now = datetime.now(UTC)
        lost = Failure(type=LOST, message="whoever made the call gave no word of its end")
        still = (
            call.model_copy(update={"ended_at": now, "failure": lost})
            for call in self._open.values()
        )
        return (*self._ended, *still)

    @contextmanager
    def calling(self, plugin: str, method: Method, offer: str) -> Iterator[None]:
        """See the protocol."""
        self._begun += 1
        now = datetime.now(UTC)
        call = PluginCall(
            plugin=plugin,
            method=method.value,
            offer=offer,
            identity=f"{self._prefix}/{self._begun}",
            started_at=now,
            ended_at=now,
        )
        self._open[call.identity] = call
        failure: Failure | None = None
        try:
            with _as_current_span(call):
                yield
        except BaseException as error:
            failure = _failure(error)
            raise
        finally:
            del self._open[call.identity]
            update = {"ended_at": datetime.now(UTC), "failure": failure}
            self._ended.append(call.model_copy(update=update))
            # The next attempt learns of the end by this.
            self.heartbeat()

    def heartbeat(self) -> None:
        """See the protocol. A local activity has no heartbeat, and needs none."""
        if not activity.info().is_local:
            activity.heartbeat()


@contextmanager
def _as_current_span(call: PluginCall) -> Iterator[None]:
    """Make the call's own span, whose id is known before it is made, the current one."""
    outer = from_otel(otel_context.get_current())
    if outer is None:
        yield
        return
    span_id = ids.span_id(outer.trace_id, names.plugin(call.method), call.identity)
    token = otel_context.attach(to_otel(outer.model_copy(update={"span_id": span_id})))
    try:
        yield
    finally:
        otel_context.detach(token)


def _failure(error: BaseException) -> Failure:
    kind = error.kind if isinstance(error, PluginError) else type(error).__name__
    return Failure(type=kind, message=(str(error) or kind)[:LONGEST_MESSAGE])


class PluginCallsInterceptor(Interceptor):
    """Gives every activity a `CallLog`, and adds what it holds to result, error and heartbeats.

    A result tells of the calls in its field `plugin_calls`; an error in a detail of its own. To be
    put before the interceptor that translates our errors.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        log = CallLog()
        _current.set(log)
        try:
            result = await super().execute_activity(input)
        except ApplicationError as error:
            if not log.told:
                raise
            raise _with_detail(error, log).with_traceback(error.__traceback__) from error.__cause__
        if log.told and isinstance(result, Value) and "plugin_calls" in type(result).model_fields:
            return result.model_copy(update={"plugin_calls": log.told})
        return result


class _Outbound(ActivityOutboundInterceptor):
    def heartbeat(self, *details: Any) -> None:
        log = _current.get()
        # A heartbeat replaces the details of the one before it, so all have to be told again.
        log.details = details or log.details
        super().heartbeat(*log.details, *([_detail(log.told)] if log.told else []))


def _with_detail(error: ApplicationError, log: CallLog) -> ApplicationError:
    return ApplicationError(
        error.message,
        *error.details,
        _detail(log.told),
        type=error.type,
        non_retryable=error.non_retryable,
        next_retry_delay=error.next_retry_delay,
        category=error.category,
    )


def _detail(calls: tuple[PluginCall, ...]) -> dict[str, object]:
    return {DETAIL: [call.model_dump(mode="json") for call in calls]}
