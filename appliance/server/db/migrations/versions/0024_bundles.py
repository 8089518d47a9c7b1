"""Bundles, and the versions of flows that name them. Versions that are registered already name none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bundle",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name="fk_bundle_project_id_project", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bundle"),
        sa.UniqueConstraint("project_id", "digest", name="uq_bundle_project_id_digest"),
    )
    op.create_index("ix_bundle_used", "bundle", ["used"])
    op.create_table(
        "named_bundle",
        sa.Column("flow_version_id", sa.Uuid(), nullable=False),
        sa.Column("bundle_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_version_id"],
            ["flow_version.id"],
            name="fk_named_bundle_flow_version_id_flow_version",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name="fk_named_bundle_bundle_id_bundle"),
        sa.PrimaryKeyConstraint("flow_version_id", name="pk_named_bundle"),
    )
    op.create_index("ix_named_bundle_bundle_id", "named_bundle", ["bundle_id"])


def downgrade() -> None:
    op.drop_table("named_bundle")
    op.drop_table("bundle")
