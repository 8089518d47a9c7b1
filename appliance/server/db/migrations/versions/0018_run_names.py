"""The index of the names of runs. The names of runs that exist already are added later, by the service `run_names`."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op

from appliance.kit import clock
from appliance.server.db.tables.columns import BigKey, LongText, Time

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_SQLITE = """create virtual table run_search using fts5(
name, content='run_name', content_rowid='id', tokenize='trigram', detail='none', columnsize=0)"""
_POSTGRES = (
    """create function run_search_trigrams(name text) returns text[] language sql immutable strict parallel safe as
$$ select array(select distinct pg_catalog.substr(pg_catalog.lower(name), place, 3)
from pg_catalog.generate_series(1, pg_catalog.length(pg_catalog.lower(name)) - 2) as place) $$""",
    "create index run_search on run_name using gin (run_search_trigrams(name)) with (gin_pending_list_limit = 256)",
    """create function run_search_add() returns trigger language plpgsql as
$$ begin insert into run_name (flow_run_id, name) select id, name from added; return null; end $$""",
    """create trigger run_search_add after insert on flow_run referencing new table as added
for each statement execute function run_search_add()""",
)


def upgrade() -> None:
    op.create_table(
        "run_name",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["flow_run_id"], ["flow_run.id"], name="fk_run_name_flow_run_id_flow_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_run_name"),
        sa.UniqueConstraint("flow_run_id", name="uq_run_name_flow_run_id"),
    )
    connection = op.get_bind()
    for statement in (_SQLITE,) if connection.dialect.name == "sqlite" else _POSTGRES:
        connection.exec_driver_sql(statement)
    run = sa.table("flow_run", sa.column("id"))
    if connection.execute(sa.select(run.c.id).limit(1)).first() is not None:
        setting = sa.table("setting", sa.column("name"), sa.column("value", LongText), sa.column("updated", Time))
        connection.execute(
            setting.insert().values(name="run_names.fill", value=f'"{UUID(int=0)}"', updated=clock.now())
        )


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("drop table run_search")
    else:
        connection.exec_driver_sql("drop trigger run_search_add on flow_run")
        connection.exec_driver_sql("drop function run_search_add()")
    op.drop_table("run_name")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("drop function run_search_trigrams(text)")
    connection.exec_driver_sql("delete from setting where name = 'run_names.fill'")
