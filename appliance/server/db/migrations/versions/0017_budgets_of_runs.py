"""How many bytes of states each run has stored, and an index of the runs that have not ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OPEN = sa.text("end_time is null")


def upgrade() -> None:
    op.add_column("flow_run", sa.Column("report_bytes", BigKey, nullable=False, server_default="0"))
    op.create_index(
        "ix_flow_run_open", "flow_run", ["flow_id"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    op.drop_index("ix_flow_run_open", "flow_run")
    op.drop_column("flow_run", "report_bytes")
