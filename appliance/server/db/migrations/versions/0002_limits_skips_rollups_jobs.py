"""Concurrency limits, skipped due times, rollups, and jobs of many steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey, Document, LongText, Time

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _concurrency()
    _schedule_skip()
    _run_rollup()
    _job()
    _schedule()


def downgrade() -> None:
    op.drop_index("ix_schedule_plan", "schedule")
    with op.batch_alter_table("schedule") as schedule:
        schedule.drop_column("catch_up_window")
        schedule.drop_column("plan_at")
    _index_of_active("ix_schedule_active", "scheduled_until")
    for table in ("job", "run_rollup", "schedule_skip", "task_slot", "concurrency_limit"):
        op.drop_table(table)


def _schedule() -> None:
    op.add_column("schedule", sa.Column("catch_up_window", sa.Float(), nullable=True))
    op.add_column("schedule", sa.Column("plan_at", Time, nullable=True))
    op.execute("update schedule set plan_at = created")
    op.drop_index("ix_schedule_active", "schedule")
    _index_of_active("ix_schedule_plan", "plan_at")


def _index_of_active(name: str, column: str) -> None:
    active = sa.text("active")
    op.create_index(name, "schedule", [column], unique=False, sqlite_where=active, postgresql_where=active)


def _concurrency() -> None:
    op.create_table(
        "concurrency_limit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concurrency_limit")),
        sa.UniqueConstraint("kind", "name", name=op.f("uq_concurrency_limit_kind_name")),
    )
    op.create_table(
        "task_slot",
        sa.Column("limit_id", sa.Uuid(), nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("task_slug", sa.String(300), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("limit_id", "flow_run_id", "task_slug", "map_index", name=op.f("pk_task_slot")),
        sa.ForeignKeyConstraint(
            ["limit_id"],
            ["concurrency_limit.id"],
            name=op.f("fk_task_slot_limit_id_concurrency_limit"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name=op.f("fk_task_slot_flow_run_id_flow_run"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_task_slot_flow_run_id"), "task_slot", ["flow_run_id"], unique=False)


def _schedule_skip() -> None:
    op.create_table(
        "schedule_skip",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first", Time, nullable=False),
        sa.Column("last", Time, nullable=False),
        sa.Column("count", BigKey, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("reason", LongText, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_skip")),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedule.id"], name=op.f("fk_schedule_skip_schedule_id_schedule"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_schedule_skip_schedule_id_last", "schedule_skip", ["schedule_id", "last"], unique=False)


def _run_rollup() -> None:
    op.create_table(
        "run_rollup",
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("hour", Time, nullable=False),
        sa.Column("state_name", sa.String(40), nullable=False),
        sa.Column("state_type", sa.String(20), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("longest", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("flow_id", "hour", "state_name", name=op.f("pk_run_rollup")),
        sa.ForeignKeyConstraint(["flow_id"], ["flow.id"], name=op.f("fk_run_rollup_flow_id_flow"), ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_run_rollup_hour"), "run_rollup", ["hour"], unique=False)


def _job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("request", Document, nullable=False),
        sa.Column("progress", Document, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_job_idempotency_key")),
    )
    op.create_index(op.f("ix_job_state"), "job", ["state"], unique=False)
