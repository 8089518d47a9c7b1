"""Results that the appliance keeps for runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_result",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("location", sa.String(1024), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("stored", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name="fk_kept_result_project_id_project", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name="fk_kept_result_flow_run_id_flow_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_kept_result"),
        sa.UniqueConstraint("project_id", "location", name="uq_kept_result_project_id_location"),
    )
    op.create_index("ix_kept_result_flow_run_id_size", "kept_result", ["flow_run_id", "size"])
    op.create_index("ix_kept_result_expires", "kept_result", ["expires"])


def downgrade() -> None:
    op.drop_table("kept_result")
