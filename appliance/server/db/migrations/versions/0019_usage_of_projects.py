"""How much each project, run and version has stored. What is stored already is not counted, neither now nor when it is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey, Whole

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COUNTS = (
    ("flow_run", "stored_rows"),
    ("flow_run", "stored_bytes"),
    ("flow_run", "log_rows"),
    ("flow_run", "log_bytes"),
    ("flow_version", "stored_bytes"),
)


def upgrade() -> None:
    for table, column in _COUNTS:
        op.add_column(table, sa.Column(column, BigKey, nullable=False, server_default="0"))
    op.create_table(
        "project_usage",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("shard", Whole, nullable=False),
        sa.Column("stored_rows", BigKey, nullable=False),
        sa.Column("stored_bytes", BigKey, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name="fk_project_usage_project_id_project", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "shard", name="pk_project_usage"),
    )


def downgrade() -> None:
    op.drop_table("project_usage")
    for table, column in reversed(_COUNTS):
        op.drop_column(table, column)
