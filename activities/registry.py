"""All activities of a worker, and all of an agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from activities.agent_task import AgentTaskActivities
from activities.auto_promotion import AutoPromotionActivities
from activities.deployment import DeploymentActivities
from activities.environment_lock import is_holder_alive, request_lock
from activities.evidence import EvidenceActivities
from activities.execution import ExecutionActivities
from activities.freeze import FreezeActivities
from activities.gate import GateActivities
from activities.promotion import PromotionActivities
from activities.reminder import send_reminder
from activities.resumption import ResumptionActivities
from activities.step import StepActivities
from activities.trace import Project, TraceActivities
from engine.store.store import Store
from engine.telemetry.export import OtlpSink


def worker_activities(
    store: Store,
    signing_key: Path,
    project: Project,
    sink: OtlpSink | None,
    settle_after: timedelta | None,
) -> Sequence[Callable[..., Any]]:
    """What a worker carries out, bound to its store, key and exporter."""
    promotion = PromotionActivities(store, settle_after)
    execution = ExecutionActivities(store)
    step = StepActivities()
    deployment = DeploymentActivities(store)
    evidence = EvidenceActivities(store, signing_key)
    auto = AutoPromotionActivities(store)
    trace = TraceActivities(store, sink, project)
    return [
        promotion.resolve,
        promotion.record_status,
        promotion.record_gate,
        promotion.record_vote,
        GateActivities(store).evaluate,
        send_reminder,
        execution.record_run,
        execution.record_step,
        ResumptionActivities(store).take_over,
        step.prepare,
        step.run,
        request_lock,
        is_holder_alive,
        FreezeActivities(store).check,
        deployment.assign_tasks,
        deployment.record,
        evidence.generate,
        evidence.sign,
        auto.offer,
        auto.consider,
        auto.start,
        auto.hold,
        trace.deliver,
        trace.forget,
        trace.sweep,
    ]


def agent_activities(agent: str, root: Path) -> Sequence[Callable[..., Any]]:
    """What the agent called `agent` carries out below its directory `root`."""
    tasks = AgentTaskActivities(agent, root)
    return [tasks.pull, tasks.deploy, tasks.health_check]
