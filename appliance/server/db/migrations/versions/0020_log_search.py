"""The index of the words of log lines. Lines that exist already are added later, newest first, by the service `log_search`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appliance.kit import clock
from appliance.server.db.tables.columns import LongText, Time

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_SQLITE = """create virtual table log_search using fts5(message, content='', contentless_delete=1, detail='none',
tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* Co'")"""
_OTHERS = {True: "[^[:alnum:]]+", False: r"[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+"}
"""What separates words. With the locale C, Postgres knows only the letters of ASCII: there, all other characters count as letters."""
_POSTGRES = (
    """create function log_search_words(line text) returns text[] language sql immutable strict parallel safe as
$$ select case when pg_catalog.octet_length(line) <= 1300 then
pg_catalog.array_remove(pg_catalog.string_to_array(
pg_catalog.regexp_replace(pg_catalog.lower(line), '{others}', ' ', 'g'), ' '), '')
else array(select pg_catalog.left(word, 500) from pg_catalog.unnest(pg_catalog.string_to_array(
pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog.left(line, 65536)), '{others}', ' ', 'g'), ' ')) as word where word <> '')
end $$""",
    "create table log_search (log_id bigint constraint pk_log_search primary key, words tsvector not null)",
    "create index log_search_words on log_search using gin (words) with (gin_pending_list_limit = 256)",
    """create function log_search_add() returns trigger language plpgsql as
$$ begin insert into log_search (log_id, words) select id, pg_catalog.array_to_tsvector(log_search_words(message)) from added;
return null; end $$""",
    """create trigger log_search_add after insert on log referencing new table as added
for each statement execute function log_search_add()""",
    """create function log_search_remove() returns trigger language plpgsql as
$$ begin delete from log_search where log_id in (select id from removed); return null; end $$""",
    """create trigger log_search_remove after delete on log referencing old table as removed
for each statement execute function log_search_remove()""",
)
"""A word has at most 500 characters and a line 65,536, so that no line is refused: an entry of a tsvector has at most 2,046 bytes, and all
together 1 MB. The triggers are cheaper than a foreign key, which would look at each line."""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE)
    else:
        is_utf8 = connection.exec_driver_sql("select current_setting('server_encoding') = 'UTF8'").scalar_one()
        knows = is_utf8 and connection.exec_driver_sql("select U&'\\00e9' ~ '[[:alnum:]]'").scalar_one()
        for statement in _POSTGRES:
            connection.exec_driver_sql(statement.replace("{others}", _OTHERS[bool(knows)]))
    line = sa.table("log", sa.column("id"))
    last = connection.execute(sa.select(sa.func.max(line.c.id))).scalar_one()
    if last is not None:
        setting = sa.table("setting", sa.column("name"), sa.column("value", LongText), sa.column("updated", Time))
        connection.execute(setting.insert().values(name="log_search.fill", value=str(last + 1), updated=clock.now()))


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for name in ("add", "remove"):
            connection.exec_driver_sql(f"drop trigger log_search_{name} on log")
            connection.exec_driver_sql(f"drop function log_search_{name}()")
    connection.exec_driver_sql("drop table log_search")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("drop function log_search_words(text)")
    connection.exec_driver_sql("delete from setting where name = 'log_search.fill'")
