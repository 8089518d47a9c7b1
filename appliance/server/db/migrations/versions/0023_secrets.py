"""Secrets, and the versions of flows that may read them. Versions that are registered already declare none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "secret",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name="fk_secret_project_id_project", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_secret"),
        sa.UniqueConstraint("project_id", "name", name="uq_secret_project_id_name"),
    )
    op.create_table(
        "declared_secret",
        sa.Column("flow_version_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_version_id"],
            ["flow_version.id"],
            name="fk_declared_secret_flow_version_id_flow_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("flow_version_id", "name", name="pk_declared_secret"),
    )
    op.create_index("ix_declared_secret_name", "declared_secret", ["name"])


def downgrade() -> None:
    op.drop_table("declared_secret")
    op.drop_table("secret")
