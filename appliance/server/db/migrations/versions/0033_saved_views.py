"""Views of the runs that users have saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Id, Texts

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_DEFAULT = sa.text("is_default")


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("user_id", Id(), sa.ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("folded_name", sa.String(200), nullable=False),
        sa.Column("q", sa.String(500), nullable=False),
        sa.Column("sort", sa.String(20), nullable=True),
        sa.Column("columns", Texts, nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("user_id", "folded_name"),
    )
    op.create_index(
        "uq_saved_view_default",
        "saved_view",
        ["user_id"],
        unique=True,
        sqlite_where=_DEFAULT,
        postgresql_where=_DEFAULT,
    )


def downgrade() -> None:
    op.drop_table("saved_view")
