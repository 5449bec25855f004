"""The driver `plugin`: whatever a plugin that is installed beside the agent offers as a driver."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from engine.drivers.config import parse_config
from engine.drivers.protocol import DriverContext, Outcome
from engine.errors import DriverError
from engine.model.agent_task import AgentTask
from engine.model.base import Document
from engine.plugins import secrets
from engine.plugins.messages import DriverParams, DriverReply
from engine.plugins.protocol import Method, OfferKind
from engine.plugins.use import PluginUse, call


class PluginDriver:
    """Has a plugin change the target."""

    name: ClassVar[str] = "plugin"
    config: ClassVar[type[Document]] = PluginUse

    async def pull(self, task: AgentTask, context: DriverContext) -> Outcome:
        """See the protocol."""
        return await _ask(Method.DRIVER_PULL, task, context)

    async def deploy(self, task: AgentTask, context: DriverContext) -> Outcome:
        """See the protocol."""
        return await _ask(Method.DRIVER_DEPLOY, task, context)

    async def health_check(self, task: AgentTask, context: DriverContext) -> Outcome:
        """See the protocol."""
        return await _ask(Method.DRIVER_HEALTH_CHECK, task, context)


async def _ask(method: Method, task: AgentTask, context: DriverContext) -> Outcome:
    directory = context.root / task.target.name
    try:
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise DriverError(f"cannot make {directory}: {error.strerror}") from error
    key = str(task.id)

    async def secret(reference: str) -> str:
        return await secrets.resolve(reference, context.plugins, key)

    reply, _ = await call(
        parse_config(PluginUse, task.target.config),
        OfferKind.DRIVER,
        method,
        DriverParams(task=task, directory=str(directory)),
        DriverReply,
        key=key,
        resolve_secret=secret,
        calls=context.plugins,
    )
    return Outcome(
        changed=reply.changed, before=reply.before, after=reply.after, detail=reply.detail
    )
