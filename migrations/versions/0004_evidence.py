"""Evidence and its envelopes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.id"], name="fk_evidence_promotion_id_promotions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    op.create_index(
        "ix_evidence_promotion_id_finished_at", "evidence", ["promotion_id", "finished_at"]
    )
    op.create_table(
        "evidence_envelopes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name="fk_evidence_envelopes_evidence_id_evidence"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_evidence_envelopes"),
        sa.UniqueConstraint("sha256", "key_id", name="uq_evidence_envelopes_sha256_key_id"),
    )
    op.create_index("ix_evidence_envelopes_evidence_id", "evidence_envelopes", ["evidence_id"])


def downgrade() -> None:
    op.drop_table("evidence_envelopes")
    op.drop_table("evidence")
