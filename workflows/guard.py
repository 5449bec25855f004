"""What reaches a workflow with the wrong number of arguments, or with null, is refused or dropped.

The SDK calls a handler with as many arguments as came, and a `TypeError` fails the workflow task
again and again. Anybody who may signal a workflow could stop it for ever that way.
"""

from __future__ import annotations

import inspect
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.logs import workflow_logger

_log = workflow_logger(__name__)


class GuardInterceptor(Interceptor):
    """Holds the number of arguments against the handler's signature."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        # The function as written, not bound: the workflow itself is its first argument.
        if not _takes(input.run_fn, (None, *input.args)):
            raise ApplicationError(
                f"input: {len(input.args)} values were given; give one JSON object",
                type="InputError",
                non_retryable=True,
            )
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        handler = getattr(workflow.instance(), input.signal, None)
        junk = None in input.args or not (handler is None or _takes(handler, input.args))
        if junk:
            _log.warning("dropped the signal %s with %d arguments", input.signal, len(input.args))
            return
        await super().handle_signal(input)


def _takes(function: Any, arguments: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True
