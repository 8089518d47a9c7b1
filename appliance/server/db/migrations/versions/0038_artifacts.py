"""Artifacts of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import Id, Time

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("project_id", Id(), sa.ForeignKey("project.id", ondelete="CASCADE"), nullable=False),
        sa.Column("flow_id", Id(), sa.ForeignKey("flow.id", ondelete="CASCADE"), nullable=False),
        sa.Column("flow_run_id", Id(), sa.ForeignKey("flow_run.id", ondelete="CASCADE"), nullable=True),
        sa.Column("slot", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("task_slug", sa.String(300), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(100), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("retention", sa.String(20), nullable=False),
        sa.Column("created", Time(), nullable=False),
        sa.Column("updated", Time(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("project_id", "key", "version"),
        sa.UniqueConstraint("flow_run_id", "slot"),
    )
    op.create_index("ix_artifact_flow_run_id_size", "artifact", ["flow_run_id", "size"])
    op.create_index("ix_artifact_flow_run_id_id", "artifact", ["flow_run_id", "id"])
    op.create_index("ix_artifact_flow_id_id", "artifact", ["flow_id", "id"])
    op.create_index("ix_artifact_project_id_id", "artifact", ["project_id", "id"])
    op.create_table(
        "artifact_key",
        sa.Column("id", Id(), primary_key=True),
        sa.Column("project_id", Id(), sa.ForeignKey("project.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("updated", Time(), nullable=False),
        sa.Column("emptied", Time(), nullable=True),
        sa.UniqueConstraint("project_id", "key"),
    )
    op.create_index("ix_artifact_key_updated", "artifact_key", ["updated", "id"])
    op.create_index("ix_artifact_key_project_id_updated", "artifact_key", ["project_id", "updated", "id"])
    op.create_index("ix_artifact_key_emptied", "artifact_key", ["emptied"])


def downgrade() -> None:
    op.drop_table("artifact_key")
    op.drop_table("artifact")
