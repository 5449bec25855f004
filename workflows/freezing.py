"""What a promotion does about freezes: it looks again, waits, and tells its deployments."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contract import GateRecord
    from activities.promotion import PromotionActivities
    from engine.gates.freezes import STOP_THE_LINE
    from engine.model.deployment import DeploymentPause
    from engine.model.execution import StepStatus
    from engine.model.freeze import Closure, FreezeExemptions
    from engine.model.promotion import StepState
    from engine.model.verdict import GateOutcome, Override
    from workflows.boundary import Boundary
    from workflows.logs import workflow_logger
    from workflows.occasions import Occasions
    from workflows.options import SHORT
    from workflows.record import PromotionRecord

_log = workflow_logger(__name__)

_FRESH = timedelta(seconds=1)
"""What the gates have said is taken for the present for this long."""


class Freezing:
    """The freezes of one promotion, from its gates to its deployments."""

    def __init__(self, occasions: Occasions) -> None:
        self._occasions = occasions
        self._boundary = Boundary()
        self._are_known = False
        self._has_changed = False
        self._decided_at = workflow.now()
        self._waiting: dict[str, str] = {}
        """The nodes of deployments that wait, by their workflows, as they said so."""

    @property
    def waited(self) -> timedelta:
        """For how long the promotion itself waited for freezes after it was allowed."""
        return self._boundary.waited

    def are_known(self) -> bool:
        """Whether there are, or have been, freezes by hand for the environment."""
        return self._are_known

    def note(self) -> None:
        """Take note that there are freezes by hand."""
        self._are_known = self._has_changed = True

    def decided(self) -> None:
        """The gates have allowed the promotion, freezes included."""
        self._decided_at, self._has_changed = workflow.now(), False

    async def changed(self) -> None:
        """A freeze was set or lifted: whatever waits looks again."""
        self.note()
        self._occasions.ring()
        self._boundary.look_again()
        for deployment in tuple(self._waiting):
            await _signal(deployment, "freezes_changed")

    async def wait(self, record: PromotionRecord) -> None:
        """Wait until no freeze holds, before anything is done.

        What the gates have said just before is not asked again.

        Raises:
            FailureError: it could not be looked at.
        """
        if not self._has_changed and workflow.now() - self._decided_at < _FRESH:
            return

        async def told(closure: Closure | None) -> None:
            record.pause("", closure)

        exemptions = self.exemptions(record)
        await self._boundary.passed(record.promotion, exemptions, told, has_begun=False)

    def exemptions(self, record: PromotionRecord) -> FreezeExemptions:
        """The freeze gates that have no say any more."""
        results = () if record.gates is None else record.gates.results
        freezes = [result for result in results if result.type == STOP_THE_LINE.type]
        return FreezeExemptions(
            skipped=tuple(
                result.name for result in freezes if result.outcome is GateOutcome.SKIPPED
            ),
            overrides=tuple(
                result.overridden for result in freezes if result.overridden is not None
            ),
        )

    def paused(self, record: PromotionRecord, pause: DeploymentPause) -> None:
        """A deployment waits for a freeze to end, or goes on."""
        if not pause.workflow_id.startswith(
            f"promotion/{record.promotion.promotion_id}/deployment/"
        ):
            _log.warning("dropped word of %r, which is no deployment of ours", pause.workflow_id)
            return
        self._waiting.pop(pause.workflow_id, None)
        if pause.closure is not None:
            self._waiting[pause.workflow_id] = pause.node_id
        record.pause(pause.workflow_id, pause.closure)

    def stepped(self, record: PromotionRecord, step: StepState) -> None:
        """A step stands somewhere else now; one that has ended waits for nothing."""
        if step.status not in (StepStatus.RUNNING, StepStatus.WAITING):
            for deployment, node_id in tuple(self._waiting.items()):
                if node_id == step.node_id:
                    del self._waiting[deployment]
                    record.pause(deployment, None)

    async def overridden(self, record: PromotionRecord, override: Override) -> None:
        """Have a gate's override counted that came after the decision.

        Raises:
            FailureError: it could not be stored.
        """
        if record.decision is None or record.gates is None:
            return
        result = record.gates.override_late(override)
        if result is not None:
            await workflow.execute_local_activity_method(
                PromotionActivities.record_gate,
                GateRecord(promotion_id=record.promotion.promotion_id, result=result),
                summary=f"{override.gate} overridden by {override.user}",
                **SHORT,
            )
        self._boundary.override(override)
        for deployment in tuple(self._waiting):
            await _signal(deployment, "override", override)


async def _signal(workflow_id: str, signal: str, *arguments: Override) -> None:
    try:
        handle = workflow.get_external_workflow_handle(workflow_id)
        await handle.signal(signal, args=list(arguments))
    except ApplicationError as error:
        # It has just ended, and waits for nothing any more.
        _log.info("the deployment %s took no signal: %s", workflow_id, error)
