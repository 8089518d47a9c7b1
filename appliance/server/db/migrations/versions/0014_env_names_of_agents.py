"""The environment variables that agents let registrations set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("env_names", Document, nullable=True))


def downgrade() -> None:
    op.drop_column("agent", "env_names")
