"""Workflow runs, step runs, deployment jobs and agent tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REPORT_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "workflow_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_version", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_workflow_runs_promotion_id_promotions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_runs"),
    )
    op.create_index("ix_workflow_runs_promotion_id", "workflow_runs", ["promotion_id"])
    op.create_table(
        "step_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("failure", REPORT_JSON, nullable=True),
        sa.Column("inputs", REPORT_JSON, nullable=False),
        sa.Column("outputs", REPORT_JSON, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("compensates", sa.Text(), nullable=True),
        sa.Column("taken_over_from", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["workflow_runs.id"], name="fk_step_runs_run_id_workflow_runs"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_step_runs"),
    )
    op.create_index("ix_step_runs_run_id", "step_runs", ["run_id"])
    op.create_table(
        "deployment_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("target_count", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_deployment_jobs_promotion_id_promotions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_jobs"),
    )
    op.create_index("ix_deployment_jobs_promotion_id", "deployment_jobs", ["promotion_id"])
    op.create_table(
        "agent_tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Boolean(), nullable=False),
        sa.Column("before", REPORT_JSON, nullable=True),
        sa.Column("after", REPORT_JSON, nullable=True),
        sa.Column("failure", REPORT_JSON, nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_tasks_agent_id_agents"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["deployment_jobs.id"], name="fk_agent_tasks_job_id_deployment_jobs"
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["targets.id"], name="fk_agent_tasks_target_id_targets"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_agent_tasks"),
    )
    op.create_index("ix_agent_tasks_job_id", "agent_tasks", ["job_id"])
    op.create_index("ix_agent_tasks_target_id_ended_at", "agent_tasks", ["target_id", "ended_at"])


def downgrade() -> None:
    op.drop_table("agent_tasks")
    op.drop_table("deployment_jobs")
    op.drop_table("step_runs")
    op.drop_table("workflow_runs")
