"""What a type of template node is."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable
from uuid import UUID

from pydantic import Field

from engine.model.base import Document, Json, Name, Value
from engine.model.plugin_call import PluginCall
from engine.model.promotion import PromotionSnapshot
from engine.plugins.calls import Calls


class StepWork(Value):
    """One step that is to be done, or is being tried again.

    Attributes:
        inputs: with all expressions evaluated; secrets are still references.
        run_id: tells the step from all others, and stays the same however often it is tried.
        attempt: 1 is the first.
        compensates: the node whose work is taken back; None for the template's own steps.
    """

    promotion: PromotionSnapshot
    node_id: Name
    type: str
    inputs: dict[str, Json]
    run_id: UUID
    attempt: int = 1
    compensates: Name | None = None

    @property
    def idempotency_key(self) -> str:
        """What whoever is called can tell by that it has been asked the same before.

        All attempts of a step have the same one: the answer to the first may have been lost.
        """
        return str(self.run_id)


class StepReport(Value):
    """How a step's work ended.

    Attributes:
        detail: one sentence for a person.
        outputs: what it hands on to others, without secrets; at most
            `engine.model.execution.MAX_OUTPUT_BYTES` as JSON.
        plugin_calls: the calls of plugins that were made for it; put here by whoever asked.
    """

    detail: str = ""
    outputs: dict[str, Json] = Field(default_factory=dict)
    plugin_calls: tuple[PluginCall, ...] = ()


class StepServices(Protocol):
    """What a step's work may ask of the process that it runs in."""

    async def secret(self, reference: str) -> str:
        """The secret that `env:NAME`, `file:PATH` or a plugin's reference stands for.

        Raises:
            InputError: there is none; the message does not hold it.
        """
        ...

    @property
    def calls(self) -> Calls:
        """Takes note of the plugins that the step calls."""
        ...

    def heartbeat(self) -> None:
        """Say that the step is still at work, at least every few seconds of long work."""
        ...


class NodeType(Protocol):
    """One type of node.

    Attributes:
        inputs: the model of a node's `inputs:`, validated with `context={"groups": …}` where the
            environment's groups are known.
        type: the name in `type:` of a template, and in the span name `workflow.step.<type>`.
    """

    inputs: ClassVar[type[Document]]
    type: ClassVar[str]


@runtime_checkable
class WorkingNodeType(NodeType, Protocol):
    """A type whose work is one call, made in an activity. Only these can take something back.

    What the others do (approvals, deployments, waiting) is the workflow's own business.
    """

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Do it. It may run twice: a worker that dies in the middle is replaced by another.

        Raises:
            StepError: it came to a negative end.
            InputError: what was given cannot be used, so that trying again is pointless.
        """
        ...
