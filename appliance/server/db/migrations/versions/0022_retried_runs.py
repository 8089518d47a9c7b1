"""An index of the runs that wait to go on, so that lists skip the many planned ones without looking at each."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_RETRIED = text("state_type = 'SCHEDULED' and attempt > 0")


def upgrade() -> None:
    op.create_index(
        "ix_flow_run_retried",
        "flow_run",
        ["state_type", "scheduled_time"],
        unique=False,
        sqlite_where=_RETRIED,
        postgresql_where=_RETRIED,
    )


def downgrade() -> None:
    op.drop_index("ix_flow_run_retried", "flow_run")
