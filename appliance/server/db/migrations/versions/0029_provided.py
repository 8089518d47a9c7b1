"""What agents can give runs that ask for it, and which keys seal code and results. Agents that have enrolled already don't say, and of what is sealed already, the
key is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("provided", Document, nullable=True))
    op.add_column("kept_result", sa.Column("key_id", sa.String(32), nullable=True))
    op.add_column("bundle", sa.Column("key_id", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("bundle", "key_id")
    op.drop_column("kept_result", "key_id")
    op.drop_column("agent", "provided")
