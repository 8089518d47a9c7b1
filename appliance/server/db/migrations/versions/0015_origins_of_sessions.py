"""The browser and the address from which a session began. Sessions of before have neither."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("browser", sa.String(100), nullable=False, server_default=""))
    op.add_column("session", sa.Column("address", sa.String(100), nullable=False, server_default=""))


def downgrade() -> None:
    for column in ("address", "browser"):
        op.drop_column("session", column)
