"""An index that holds the hourly sums themselves: a week of a site is tens of thousands of rows of the table."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_SUMS = ["hour", "state_name", "state_type", "flow_id", "runs", "seconds", "longest"]


def upgrade() -> None:
    op.create_index("ix_run_rollup_sums", "run_rollup", _SUMS, unique=False)
    op.drop_index("ix_run_rollup_hour", "run_rollup")


def downgrade() -> None:
    op.create_index("ix_run_rollup_hour", "run_rollup", ["hour"], unique=False)
    op.drop_index("ix_run_rollup_sums", "run_rollup")
