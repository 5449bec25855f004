"""Traces that are to be settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unsettled_traces",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("promotion_id", name="pk_unsettled_traces"),
    )
    op.create_index("ix_unsettled_traces_ended_at", "unsettled_traces", ["ended_at"])
    op.create_table(
        "traced_runs",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("span_ids", sa.JSON(), nullable=False),
        sa.Column("children", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "workflow_id", name="pk_traced_runs"),
    )


def downgrade() -> None:
    op.drop_table("traced_runs")
    op.drop_table("unsettled_traces")
