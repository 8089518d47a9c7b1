"""Each migration only adds: what the version before reads and writes stays possible while several nodes are upgraded in turn.

What no version uses any more is dropped by a later migration, which names it in CONTRACTED. A unique key may go; one may come only on columns
that the version before leaves empty, which TIGHTENED names.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlalchemy import inspect

from appliance.server.db import migrate, revisions
from appliance.server.db.session import Database
from tests.migration.test_first import postgres_server, url

__all__ = ["postgres_server", "url"]

CONTRACTED: dict[str, set[str]] = {}
"""By revision: the tables and columns (`table.column`) that it drops, unused since the version before."""
LOOSENED: dict[str, set[str]] = {"0005": {"flow_version(content_hash, flow_id)"}}
"""By revision: the unique keys that it drops. The version before must not fail where it finds several rows instead of one."""

TIGHTENED: dict[str, set[str]] = {"0035": {"flow_run(parent_flow_run_id, parent_map_index, parent_task_slug)"}}
"""By revision: the unique keys that it adds to old tables. Rows of the version before leave one of the columns empty, so that they never collide:
no version before 0035 writes the parent of a run."""


def columns(url: str) -> dict[str, Any]:
    """Every column of the database by `table.column`, and every table by its name."""
    database = Database(url)
    try:
        found: dict[str, Any] = {}
        inspector = inspect(database.engine)
        for table in inspector.get_table_names():
            found[table] = None
            found |= {f"{table}.{column['name']}": column for column in inspector.get_columns(table)}
        return found
    finally:
        database.dispose()


def unique_keys(url: str) -> set[str]:
    """As `table(columns)`: unique constraints and unique indexes."""
    database = Database(url)
    try:
        inspector, found = inspect(database.engine), set()
        for table in inspector.get_table_names():
            keys = [key["column_names"] for key in inspector.get_unique_constraints(table)]
            keys += [index["column_names"] for index in inspector.get_indexes(table) if index["unique"]]
            found |= {f"{table}({', '.join(sorted(filter(None, key)))})" for key in keys}
        return found
    finally:
        database.dispose()


def complaints(before: dict[str, Any], after: dict[str, Any], dropped: set[str]) -> list[str]:
    """What a version that knows only `before` could not do any more."""
    found = [f"{name} is gone" for name in before if name not in after and name not in dropped]
    for name, column in after.items():
        old = before.get(name)
        if column is None or (old is None and name.partition(".")[0] not in before):
            continue  # a table, or a column of a new one
        needed = not column["nullable"] and column["default"] is None
        if old is None and needed:
            found.append(f"{name} is new and every insert must name it")
        if old is not None and needed and old["nullable"]:
            found.append(f"{name} must not be empty any more")
        if old is not None and str(old["type"]) != str(column["type"]):
            found.append(f"{name} was {old['type']} and is {column['type']}")
    return found


def test_a_migration_takes_nothing_from_the_version_before(url: str) -> None:
    migrate.upgrade(url)
    new, new_keys = columns(url), unique_keys(url)
    for before, after in reversed(list(pairwise(revisions.supported()))):
        migrate.downgrade(url, before)
        old, old_keys = columns(url), unique_keys(url)
        assert complaints(old, new, CONTRACTED.get(after, set())) == [], after
        assert old_keys - new_keys == LOOSENED.get(after, set()), after
        on_old_tables = {key for key in new_keys - old_keys if key.partition("(")[0] in old}
        assert on_old_tables == TIGHTENED.get(after, set()), (
            f"a new unique key of {after} refuses what the version before writes"
        )
        new, new_keys = old, old_keys


def test_what_takes_something_away_is_noticed() -> None:
    text = {"nullable": True, "default": None, "type": "TEXT"}
    needed = {"nullable": False, "default": None, "type": "TEXT"}
    before = {"run": None, "run.id": needed, "run.note": text, "run.kind": text, "gone": None}
    after = {"run": None, "run.id": text | {"type": "INTEGER"}, "run.note": needed, "run.new": needed, "fresh": None}
    after["fresh.id"] = needed
    assert complaints(before, after, {"run.kind"}) == [
        "gone is gone",
        "run.id was TEXT and is INTEGER",
        "run.note must not be empty any more",
        "run.new is new and every insert must name it",
    ]
