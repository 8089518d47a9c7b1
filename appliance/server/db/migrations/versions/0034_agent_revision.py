"""The revisions of agents, by which an enrolment that arrives late is known. Agents that have enrolled already have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agent", sa.Column("revision", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("agent", "revision")
