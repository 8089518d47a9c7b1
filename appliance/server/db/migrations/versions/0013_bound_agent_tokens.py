"""The agent that an agent's token is for. Tokens of before are not bound, since several agents may share one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Texts

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_token", sa.Column("binds", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("api_token", sa.Column("bound_name", sa.String(200), nullable=True))
    op.add_column("api_token", sa.Column("bound_labels", Texts, nullable=True))


def downgrade() -> None:
    for column in ("bound_labels", "bound_name", "binds"):
        op.drop_column("api_token", column)
