"""Indexes for lists of flow runs in the order of their starts and their ends."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIMES = ("start_time", "end_time")


def upgrade() -> None:
    for time in _TIMES:
        known = text(f"{time} is not null")
        op.create_index(
            f"ix_flow_run_{time}", "flow_run", [time, "id"], unique=False, sqlite_where=known, postgresql_where=known
        )


def downgrade() -> None:
    for time in _TIMES:
        op.drop_index(f"ix_flow_run_{time}", "flow_run")
