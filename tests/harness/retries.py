"""Tasks of agents whose first attempts fail, and go well once what was in the way is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from temporalio.service import RPCError, RPCStatusCode

from tests.harness.system import PATIENCE, System


def obstruct(system: System, environment: str, target: str) -> Path:
    """Put a file where a target's directory belongs; its agent can do nothing until it is gone."""
    agent = f"{system.tenant}-{environment}-{target}"
    obstacle = system.settings.home / "agents" / agent / target
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("in the way")
    return obstacle


async def until_attempt(system: System, workflow_id: str, number: int) -> None:
    """Wait until an activity of the promotion's deployment is at its attempt `number`."""
    deployment = system.client.get_workflow_handle(f"{workflow_id}/deployment/deploy")
    for _ in range(int(PATIENCE / 0.05)):
        try:
            described = await deployment.describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            pending = described.raw_description.pending_activities
            if any(activity.attempt >= number for activity in pending):
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no task of {workflow_id} came to its attempt {number}")
