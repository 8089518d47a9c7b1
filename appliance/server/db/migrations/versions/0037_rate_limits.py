"""Limits on how many tasks start in a period, and when tasks have started under them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Id, Time

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("concurrency_limit", sa.Column("per", sa.Float(), nullable=True))
    op.create_table(
        "task_start",
        sa.Column(
            "limit_id",
            Id(),
            sa.ForeignKey("concurrency_limit.id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
        ),
        sa.Column("at", Time(), primary_key=True, nullable=False),
        sa.Column("flow_run_id", Id(), primary_key=True, nullable=False),
        sa.Column("task_slug", sa.String(300), primary_key=True, nullable=False),
        sa.Column("map_index", sa.Integer(), primary_key=True, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("task_start")
    op.execute("delete from concurrency_limit where kind = 'task_rate'")
    op.drop_column("concurrency_limit", "per")
