"""What runs and their attempts have used, CPU time and memory. Of those from before, it is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey, Documents

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flow_run", sa.Column("cpu_seconds", sa.Float(), nullable=True))
    op.add_column("flow_run", sa.Column("peak_memory", BigKey, nullable=True))
    op.add_column("flow_run", sa.Column("attempt_usage", Documents, nullable=True))


def downgrade() -> None:
    op.drop_column("flow_run", "attempt_usage")
    op.drop_column("flow_run", "peak_memory")
    op.drop_column("flow_run", "cpu_seconds")
