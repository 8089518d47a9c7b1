"""Failures that people have marked as known, and owners of flows. Flows that are registered already have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Id, LongText, Time

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_OPEN, _RESOLVED = sa.text("resolved_at is null"), sa.text("resolved_at is not null")


def upgrade() -> None:
    op.add_column("flow", sa.Column("owner", sa.String(200), nullable=False, server_default=""))
    op.create_table(
        "known_failure",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("flow_id", Id(), sa.ForeignKey("flow.id", ondelete="CASCADE"), nullable=False),
        sa.Column("task_slug", sa.String(300), nullable=False),
        sa.Column("fingerprint", sa.String(200), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("until", Time(), nullable=True),
        sa.Column("marked_by", sa.String(200), nullable=False),
        sa.Column("marked_at", Time(), nullable=False),
        sa.Column("last_run_id", Id(), nullable=False),
        sa.Column("last_seen", Time(), nullable=False),
        sa.Column("resolved_at", Time(), nullable=True),
        sa.Column("resolved_by_run", Id(), nullable=True),
    )
    op.create_index("ix_known_failure_flow_id", "known_failure", ["flow_id"])
    op.create_index(
        "uq_known_failure_open",
        "known_failure",
        ["flow_id", "task_slug", "fingerprint"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("ix_known_failure_open_id", "known_failure", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index(
        "ix_known_failure_resolved_at",
        "known_failure",
        ["resolved_at"],
        sqlite_where=_RESOLVED,
        postgresql_where=_RESOLVED,
    )


def downgrade() -> None:
    op.drop_table("known_failure")
    op.drop_column("flow", "owner")
