"""Automations and their deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey, Document, Id, Texts, Time

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "automation",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("folded_name", sa.String(300), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("events", Texts, nullable=False),
        sa.Column("q", sa.String(500), nullable=False),
        sa.Column("action", Document, nullable=False),
        sa.Column("at_most", sa.Integer(), nullable=False),
        sa.Column("per", sa.Float(), nullable=False),
        sa.Column("unless_known", sa.Boolean(), nullable=False),
        sa.Column("unless_maintenance", sa.Boolean(), nullable=False),
        sa.Column("after_event", BigKey, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", Time(), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("updated", Time(), nullable=False),
        sa.Column("updated_by", sa.String(200), nullable=False),
        sa.UniqueConstraint("folded_name"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("automation_id", Id(), sa.ForeignKey("automation.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event_id", BigKey, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("object_id", Id(), nullable=False),
        sa.Column("message", Document, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", Time(), nullable=False),
        sa.Column("expires", Time(), nullable=False),
        sa.Column("tried_at", Time(), nullable=True),
        sa.Column("next_try_at", Time(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.UniqueConstraint("automation_id", "event_id"),
    )
    op.create_index("ix_delivery_automation_id_created", "delivery", ["automation_id", "created", "id"])
    op.create_index("ix_delivery_created", "delivery", ["created"])
    op.create_index(
        "ix_delivery_next_try_at", "delivery", ["next_try_at"], sqlite_where=_PENDING, postgresql_where=_PENDING
    )


def downgrade() -> None:
    op.drop_table("delivery")
    op.drop_table("automation")
