"""Which results are sealed, the key with which agents seal them, and an index for the list of a project. Results that are kept already are not
sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("kept_result", sa.Column("sealed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("agent", sa.Column("results_key_id", sa.String(32), nullable=True))
    op.create_index("ix_kept_result_project_id_id_location", "kept_result", ["project_id", "id", "location"])


def downgrade() -> None:
    op.drop_index("ix_kept_result_project_id_id_location", "kept_result")
    op.drop_column("agent", "results_key_id")
    op.drop_column("kept_result", "sealed")
