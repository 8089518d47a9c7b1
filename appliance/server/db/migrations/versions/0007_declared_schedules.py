"""What code declared of a schedule when its flow was last registered. Schedules from before get it when their flow is registered again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedule", sa.Column("declared", Document, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("schedule") as table:
        table.drop_column("declared")
