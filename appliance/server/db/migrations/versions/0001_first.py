"""The first tables: everything of the main job, from projects to logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.server.db.tables.columns import BigKey, Document, LongText, Time

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _agent()
    _event()
    _lease()
    _project()
    _setting()
    _user()
    _api_token()
    _flow()
    _session()
    _flow_version()
    _schedule()
    _flow_run()
    _flow_run_state()
    _log()
    _task_run()
    _task_run_state()


def downgrade() -> None:
    for table in (
        "task_run_state",
        "task_run",
        "log",
        "flow_run_state",
        "flow_run",
        "schedule",
        "flow_version",
        "session",
        "flow",
        "api_token",
        "user",
        "setting",
        "project",
        "lease",
        "event",
        "agent",
    ):
        op.drop_table(table)


def _agent() -> None:
    op.create_table(
        "agent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("labels", Document, nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(50), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("last_seen", Time, nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent")),
        sa.UniqueConstraint("name", name=op.f("uq_agent_name")),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("topic", sa.String(40), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("data", Document, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_at"), "event", ["at"], unique=False)


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.Column("last_run_at", Time, nullable=True),
        sa.Column("last_counts", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def _project() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", LongText, nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )


def _setting() -> None:
    op.create_table(
        "setting",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", LongText, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )


def _user() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(300), nullable=True),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("username", name=op.f("uq_user_username")),
    )


def _api_token() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("prefix", sa.String(20), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scope", sa.String(20), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("expires_at", Time, nullable=True),
        sa.Column("last_used", Time, nullable=True),
        sa.Column("revoked_at", Time, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)


def _flow() -> None:
    op.create_table(
        "flow",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("overrides", Document, nullable=False),
        sa.Column("settings", Document, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_flow_project_id_project"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_flow_project_id_name")),
    )
    op.create_index(op.f("ix_flow_project_id"), "flow", ["project_id"], unique=False)


def _session() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("csrf_token", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("last_used", Time, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_session_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_session_token_hash")),
    )
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_session_user_id"), "session", ["user_id"], unique=False)


def _flow_version() -> None:
    op.create_table(
        "flow_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("graph", Document, nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.Column("schedules", Document, nullable=False),
        sa.Column("storage", Document, nullable=False),
        sa.Column("run_config", Document, nullable=False),
        sa.Column("labels", Document, nullable=False),
        sa.Column("sdk_version", sa.String(50), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_id"], ["flow.id"], name=op.f("fk_flow_version_flow_id_flow"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_version")),
        sa.UniqueConstraint("flow_id", "content_hash", name=op.f("uq_flow_version_flow_id_content_hash")),
        sa.UniqueConstraint("flow_id", "number", name=op.f("uq_flow_version_flow_id_number")),
    )


def _schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("timezone", sa.String(100), nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.Column("labels", Document, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("catch_up", sa.String(20), nullable=False),
        sa.Column("catch_up_cap", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(20), nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("scheduled_until", Time, nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.ForeignKeyConstraint(["flow_id"], ["flow.id"], name=op.f("fk_schedule_flow_id_flow"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
    )
    op.create_index(
        "ix_schedule_active",
        "schedule",
        ["scheduled_until"],
        unique=False,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_index(op.f("ix_schedule_flow_id"), "schedule", ["flow_id"], unique=False)


def _flow_run() -> None:
    op.create_table(
        "flow_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("flow_version_id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", Time, nullable=True),
        sa.Column("idempotency_key", sa.String(200), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("parameters", Document, nullable=False),
        sa.Column("context", Document, nullable=False),
        sa.Column("labels", Document, nullable=False),
        sa.Column("run_config", Document, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("parent_flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("parent_task_slug", sa.String(300), nullable=True),
        sa.Column("scheduled_time", Time, nullable=False),
        sa.Column("state_type", sa.String(20), nullable=False),
        sa.Column("state_name", sa.String(40), nullable=False),
        sa.Column("state_message", LongText, nullable=False),
        sa.Column("state_data", Document, nullable=True),
        sa.Column("state_at", Time, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run_token_hash", sa.String(64), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", Time, nullable=True),
        sa.Column("last_seq", BigKey, nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("start_time", Time, nullable=True),
        sa.Column("end_time", Time, nullable=True),
        sa.Column("times_resurrected", sa.Integer(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agent.id"], name=op.f("fk_flow_run_agent_id_agent"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["flow_id"], ["flow.id"], name=op.f("fk_flow_run_flow_id_flow"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["flow_version_id"],
            ["flow_version.id"],
            name=op.f("fk_flow_run_flow_version_id_flow_version"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedule.id"], name=op.f("fk_flow_run_schedule_id_schedule"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_run")),
        sa.UniqueConstraint("flow_id", "idempotency_key", name=op.f("uq_flow_run_flow_id_idempotency_key")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("uq_flow_run_schedule_id_due_at")),
    )
    op.create_index(op.f("ix_flow_run_agent_id"), "flow_run", ["agent_id"], unique=False)
    op.create_index("ix_flow_run_due", "flow_run", ["scheduled_time"], unique=False)
    op.create_index("ix_flow_run_flow_due", "flow_run", ["flow_id", "scheduled_time"], unique=False)
    op.create_index(op.f("ix_flow_run_flow_version_id"), "flow_run", ["flow_version_id"], unique=False)
    op.create_index(
        "ix_flow_run_live",
        "flow_run",
        ["state_type", "lease_expires_at"],
        unique=False,
        sqlite_where=sa.text("state_type in ('PENDING', 'RUNNING', 'CANCELLING')"),
        postgresql_where=sa.text("state_type in ('PENDING', 'RUNNING', 'CANCELLING')"),
    )
    op.create_index("ix_flow_run_state_due", "flow_run", ["state_type", "scheduled_time"], unique=False)


def _flow_run_state() -> None:
    op.create_table(
        "flow_run_state",
        sa.Column("flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("data", Document, nullable=True),
        sa.Column("at", Time, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name=op.f("fk_flow_run_state_flow_run_id_flow_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("flow_run_id", "version", name=op.f("pk_flow_run_state")),
    )


def _log() -> None:
    op.create_table(
        "log",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("task_slug", sa.String(300), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("logger", sa.String(200), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name=op.f("fk_log_flow_run_id_flow_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log")),
    )
    op.create_index("ix_log_flow_run_id_id", "log", ["flow_run_id", "id"], unique=False)


def _task_run() -> None:
    op.create_table(
        "task_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("task_slug", sa.String(300), nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("state_type", sa.String(20), nullable=False),
        sa.Column("state_name", sa.String(40), nullable=False),
        sa.Column("state_message", LongText, nullable=False),
        sa.Column("state_data", Document, nullable=True),
        sa.Column("state_at", Time, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("cache_key", sa.String(300), nullable=True),
        sa.Column("result_location", LongText, nullable=True),
        sa.Column("tags", Document, nullable=False),
        sa.Column("start_time", Time, nullable=True),
        sa.Column("end_time", Time, nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name=op.f("fk_task_run_flow_run_id_flow_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_run")),
        sa.UniqueConstraint(
            "flow_run_id", "task_slug", "map_index", name=op.f("uq_task_run_flow_run_id_task_slug_map_index")
        ),
    )


def _task_run_state() -> None:
    op.create_table(
        "task_run_state",
        sa.Column("task_run_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("message", LongText, nullable=False),
        sa.Column("data", Document, nullable=True),
        sa.Column("at", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_run_id"], ["task_run.id"], name=op.f("fk_task_run_state_task_run_id_task_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_run_id", "version", name=op.f("pk_task_run_state")),
    )
