"""Versions that restore the content of an older one: a flow may have the same content under several numbers.

Dropping a unique key takes nothing from the version before: it writes no doubles, and by the hashes that it looks for it finds none,
since those of new versions are computed from other bytes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Document

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = "uq_flow_version_flow_id_content_hash"
_INDEX = "ix_flow_version_content"


def upgrade() -> None:
    with op.batch_alter_table("flow_version") as table:
        table.add_column(sa.Column("restores", sa.Integer(), nullable=True))
        table.add_column(sa.Column("changes", Document, nullable=True))
        table.drop_constraint(_KEY, type_="unique")
    op.create_index(_INDEX, "flow_version", ["flow_id", "content_hash"])


def downgrade() -> None:
    """A version that restores content gets a hash that no other has."""
    op.execute(
        "update flow_version set content_hash = replace(cast(id as varchar(40)), '-', '') where restores is not null"
    )
    op.drop_index(_INDEX, "flow_version")
    with op.batch_alter_table("flow_version") as table:
        table.create_unique_constraint(_KEY, ["flow_id", "content_hash"])
        table.drop_column("changes")
        table.drop_column("restores")
