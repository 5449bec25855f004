"""Identifiers, each derived from what it names.

Every id is a version 5 UUID (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5), so that
work done twice writes the same row, and anyone can recompute the id of a thing from its names.
"""

from __future__ import annotations

from uuid import UUID, uuid5

_ROOT = UUID("6f0c7d52-5f0b-5d3e-9a51-2f4f3c1f7a10")


def tenant_id(name: str) -> UUID:
    """The id of the tenant called `name`."""
    return uuid5(_ROOT, f"tenant/{name}")


def user_id(tenant: UUID, subject: str) -> UUID:
    """The id of a person or machine account that acts in a tenant under the name `subject`."""
    return uuid5(tenant, f"user/{subject}")


def agent_id(tenant: UUID, name: str) -> UUID:
    """The id of the agent called `name`; its task queue is `agent.<name>`."""
    return uuid5(tenant, f"agent/{name}")


def environment_id(tenant: UUID, name: str) -> UUID:
    """The id of an environment."""
    return uuid5(tenant, f"environment/{name}")


def target_id(environment: UUID, name: str) -> UUID:
    """The id of a target in an environment."""
    return uuid5(environment, f"target/{name}")


def release_id(tenant: UUID, name: str, version: str) -> UUID:
    """The id of the release `name@version`."""
    return uuid5(tenant, f"release/{name}@{version}")


def promotion_id(workflow_id: str, first_run_id: str) -> UUID:
    """The id of the promotion that a workflow carries out.

    `promotion/<uuid>` names its own id, and so does a bare UUID (what the Temporal command line
    generates); any other workflow id is hashed together with its first run id, because workflow
    ids may be used again.
    """
    candidate = workflow_id.removeprefix("promotion/")
    try:
        return UUID(candidate)
    except ValueError:
        return uuid5(_ROOT, f"promotion/{workflow_id}/{first_run_id}")


def gate_key(promotion: UUID, gate: str) -> str:
    """What tells the evaluation of a promotion's gate from all others, by the gate's name."""
    return f"{promotion}/{gate}"


def workflow_run_id(promotion: UUID) -> UUID:
    """The id of the template's run within a promotion."""
    return uuid5(promotion, "workflow")


def step_run_id(promotion: UUID, node_id: str) -> UUID:
    """The id of one node's run within a promotion, however often it is tried."""
    return uuid5(promotion, f"step/{node_id}")


def compensation_run_id(promotion: UUID, node_id: str) -> UUID:
    """The id of the step that takes a node's work back."""
    return uuid5(promotion, f"compensation/{node_id}")


def job_id(promotion: UUID, node_id: str, attempt: int = 1) -> UUID:
    """The id of the deployment job that a deploy node starts; each attempt starts its own."""
    name = f"job/{node_id}"
    return uuid5(promotion, name if attempt == 1 else f"{name}/{attempt}")


def task_id(job: UUID, target: UUID, component: str, task_type: str) -> UUID:
    """The id of one agent task: one kind of work on one component of one target."""
    return uuid5(job, f"task/{target}/{component}/{task_type}")


def auto_promotion_id(environment: UUID, succeeded: UUID) -> UUID:
    """The id of the promotion to `environment` that follows by rule upon one that succeeded."""
    return uuid5(environment, f"auto/{succeeded}")


def hold_id(environment: UUID, promotion: UUID) -> UUID:
    """The id of the hold on automatic promotion that a rollback sets."""
    return uuid5(environment, f"hold/{promotion}")


def evidence_id(promotion: UUID, reset_run: str | None = None) -> UUID:
    """The id of a promotion's evidence; that of a run that came of a reset has its own."""
    return uuid5(promotion, "evidence" if reset_run is None else f"evidence/{reset_run}")


def approval_id(promotion: UUID, subject: str) -> UUID:
    """The id of one person's vote on a promotion."""
    return uuid5(promotion, f"approval/{subject}")
