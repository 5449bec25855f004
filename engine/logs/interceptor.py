"""The Temporal interceptor that makes the log of activities whole: whose they are, and failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    is_cancelled_exception,
)
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from engine.logs.context import about_promotion
from engine.telemetry import events, names
from engine.telemetry.events import event

_log = logging.getLogger(__name__)

_TRIED_FOR_LONG = "trace.deliver"
"""Tried again for as long as the collector is away, one for each promotion that has ended."""


class LogInterceptor(Interceptor):
    """Stands before every activity of a worker or an agent."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        with about_promotion(_promotion_of(input.args)):
            try:
                return await super().execute_activity(input)
            except Exception as error:
                if not is_cancelled_exception(error):
                    _tell(error)
                raise


def _tell(error: Exception) -> None:
    doing = activity.info()
    if not isinstance(error, ApplicationError):
        _log.error(
            "%s broke in attempt %d: %s",
            doing.activity_type,
            doing.attempt,
            error,
            exc_info=error,
            extra=event(events.ACTIVITY_FAILED, {names.ERROR_TYPE: type(error).__name__}),
        )
        return
    # What a final failure of a local activity means is told by its workflow, in the same log.
    told = doing.is_local and error.non_retryable
    benign = error.category is ApplicationErrorCategory.BENIGN
    kind = error.type or type(error).__name__
    _log.log(
        logging.DEBUG if told or benign else logging.WARNING,
        "%s failed in attempt %d%s: %s",
        doing.activity_type,
        doing.attempt,
        "" if error.non_retryable else ", and may be tried again",
        error.message,
        extra=event(
            events.ACTIVITY_FAILED,
            {
                names.ERROR_TYPE: kind,
                events.EXCEPTION_TYPE: kind,
                events.EXCEPTION_MESSAGE: error.message,
            },
            once_a_minute=_TRIED_FOR_LONG if doing.activity_type == _TRIED_FOR_LONG else "",
        ),
    )


def _promotion_of(arguments: Sequence[object]) -> str:
    """The id of the promotion that an activity's arguments are about; empty when of none."""
    for argument in arguments:
        for part in ("promotion", "request"):
            for holder in (argument, getattr(argument, part, None)):
                found = getattr(holder, "promotion_id", None)
                if isinstance(found, UUID):
                    return str(found)
    return ""
