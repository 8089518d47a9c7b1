"""The folders from which agents take code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("roots", Document, nullable=True))
    op.add_column("agent", sa.Column("closed", Document, nullable=True))


def downgrade() -> None:
    op.drop_column("agent", "closed")
    op.drop_column("agent", "roots")
