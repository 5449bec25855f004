"""What the workflows of a promotion tell each other."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from engine.model.base import Value
    from workflows.logs import workflow_logger

_log = workflow_logger(__name__)


async def tell_promotion(workflow_id: str, signal: str, what: Value) -> None:
    """Send a signal to the promotion's own workflow.

    What is told is for people who watch; a promotion that is gone does not need it any more.
    """
    # Awaited in the open, a signal that is on its way would swallow a cancellation of the workflow.
    await asyncio.shield(asyncio.create_task(_send(workflow_id, signal, what)))


async def _send(workflow_id: str, signal: str, what: Value) -> None:
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, what)
    except ApplicationError as error:
        _log.warning("the promotion %s took no signal: %s", workflow_id, error)
