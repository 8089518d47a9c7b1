"""Indexes that hold all that lists of flow runs filter by, and one for the names of states."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATE = ["state_type", "state_name", "attempt"]


def upgrade() -> None:
    op.drop_index("ix_flow_run_flow_due", "flow_run")
    op.drop_index("ix_flow_run_due", "flow_run")
    op.create_index(
        "ix_flow_run_flow_due", "flow_run", ["flow_id", "scheduled_time", "id", *_STATE, "name"], unique=False
    )
    op.create_index("ix_flow_run_due", "flow_run", ["scheduled_time", "id", *_STATE, "flow_id", "name"], unique=False)
    op.create_index("ix_flow_run_name_due", "flow_run", ["state_name", "scheduled_time"], unique=False)


def downgrade() -> None:
    for name in ("ix_flow_run_name_due", "ix_flow_run_due", "ix_flow_run_flow_due"):
        op.drop_index(name, "flow_run")
    op.create_index("ix_flow_run_flow_due", "flow_run", ["flow_id", "scheduled_time"], unique=False)
    op.create_index("ix_flow_run_due", "flow_run", ["scheduled_time"], unique=False)
