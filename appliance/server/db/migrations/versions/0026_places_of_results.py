"""Where the results of agents' runs are, and which agents can go on with a run. Agents and attempts from before don't say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import LongText

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("results_url", LongText, nullable=True))
    op.add_column("agent", sa.Column("results_id", sa.String(100), nullable=True))
    op.add_column("flow_run", sa.Column("results_at", sa.String(300), nullable=True))


def downgrade() -> None:
    op.drop_column("flow_run", "results_at")
    op.drop_column("agent", "results_id")
    op.drop_column("agent", "results_url")
