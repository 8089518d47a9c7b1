"""Which storages agents know and what they found wrong when they started, the storage of versions, and what schedules and runs say of run
configs. Versions that are registered already lie in files, the one storage of earlier releases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document, Texts

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("storages", Texts, nullable=True))
    op.add_column("agent", sa.Column("problems", Texts, nullable=True))
    op.add_column("flow_version", sa.Column("storage_type", sa.String(40), nullable=False, server_default="local"))
    op.add_column("schedule", sa.Column("run_config", Document, nullable=True))
    op.add_column("flow_run", sa.Column("overrides", Document, nullable=True))


def downgrade() -> None:
    op.drop_column("flow_run", "overrides")
    op.drop_column("schedule", "run_config")
    op.drop_column("flow_version", "storage_type")
    op.drop_column("agent", "problems")
    op.drop_column("agent", "storages")
