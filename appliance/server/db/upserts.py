"""`upsert(session, table)`: an insertion with `on_conflict_do_…`, which SQLAlchemy has once for each database. That of the other one is never loaded."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert


def upsert(into: Session | Connection, table: Table) -> Insert:
    """A statement for the database of this transaction. Typed as SQLite's; that of Postgres has the same methods."""
    dialect = into.dialect if isinstance(into, Connection) else into.get_bind().dialect
    return upsert_for(dialect.name, table)


def upsert_for(dialect: str, table: Table) -> Insert:
    """The same for the name of a dialect."""
    made: Insert = _maker(dialect)(table)
    return made


@cache
def _maker(dialect: str) -> Any:
    return import_module(f"sqlalchemy.dialects.{dialect}").insert
