"""Promotions, gate results and approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REPORT_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("environment_id", sa.Uuid(), nullable=False),
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.String(32), nullable=True),
        sa.Column("failure", REPORT_JSON, nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("status_run_id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name="fk_promotions_environment_id_environments",
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name="fk_promotions_release_id_releases"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_promotions_tenant_id_tenants"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
    op.create_index("ix_promotions_environment_id", "promotions", ["environment_id"])
    op.create_index("ix_promotions_release_id", "promotions", ["release_id"])
    op.create_index(
        "ix_promotions_tenant_id_environment_id_requested_at",
        "promotions",
        ["tenant_id", "environment_id", "requested_at"],
    )
    op.create_index(
        "ix_promotions_tenant_id_requested_at", "promotions", ["tenant_id", "requested_at"]
    )
    op.create_index("ix_promotions_trace_id", "promotions", ["trace_id"])
    op.create_table(
        "gate_results",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attributes", REPORT_JSON, nullable=False),
        sa.Column("inputs", REPORT_JSON, nullable=False),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("error", REPORT_JSON, nullable=True),
        sa.Column("evidence", REPORT_JSON, nullable=True),
        sa.Column("overridden", REPORT_JSON, nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_gate_results_promotion_id_promotions"
        ),
        sa.PrimaryKeyConstraint("promotion_id", "name", name="pk_gate_results"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(32), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("binding", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=True),
        sa.Column("envelope", sa.JSON(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=False),
        sa.Column("withdrawal_envelope", sa.JSON(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_approvals_promotion_id_promotions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_promotion_id", "approvals", ["promotion_id"])


def downgrade() -> None:
    op.drop_table("approvals")
    op.drop_table("gate_results")
    op.drop_table("promotions")
