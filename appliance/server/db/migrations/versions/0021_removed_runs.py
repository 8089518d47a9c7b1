"""Runs that were deleted. Of those that are gone already, nothing is known: the results that they kept stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removed_run"),
    )
    op.create_index("ix_removed_run_at", "removed_run", ["at"])


def downgrade() -> None:
    op.drop_table("removed_run")
