"""Which task run has started a run: at most one run for each, found by the run that it is part of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_CHILDREN = sa.text("parent_flow_run_id is not null")


def upgrade() -> None:
    op.add_column("flow_run", sa.Column("parent_map_index", sa.Integer(), nullable=True))
    op.add_column("flow_run", sa.Column("parent_waits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("flow_run", sa.Column("parent_try", sa.String(40), nullable=True))
    op.create_index(
        "uq_flow_run_parent",
        "flow_run",
        ["parent_flow_run_id", "parent_task_slug", "parent_map_index"],
        unique=True,
        sqlite_where=_CHILDREN,
        postgresql_where=_CHILDREN,
    )


def downgrade() -> None:
    op.drop_index("uq_flow_run_parent", "flow_run")
    op.drop_column("flow_run", "parent_try")
    op.drop_column("flow_run", "parent_waits")
    op.drop_column("flow_run", "parent_map_index")
