"""The projects whose runs an agent takes, and to which its token is bound."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Texts

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("projects", Texts, nullable=True))
    op.add_column("api_token", sa.Column("bound_projects", Texts, nullable=True))


def downgrade() -> None:
    op.drop_column("api_token", "bound_projects")
    op.drop_column("agent", "projects")
