"""What the workflows of a promotion tell each other."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from engine.model.base import Value


async def tell_promotion(workflow_id: str, signal: str, what: Value) -> None:
    """Send a signal to the promotion's own workflow.

    What is told is for people who watch; a promotion that is gone does not need it any more.
    """
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, what)
    except ApplicationError as error:
        workflow.logger.warning("the promotion %s took no signal: %s", workflow_id, error)
