"""Looks through SQLite's whole file for damage, one table at a time, so that no snapshot lasts longer than one table takes."""

from __future__ import annotations

from sqlalchemy import text

from appliance.server.db.session import Database
from appliance.server.errors import Damaged


def problems(db: Database) -> list[str]:
    """What `quick_check` finds, a line each; empty for a sound file, and always for Postgres, which checks its pages itself."""
    if db.dialect != "sqlite":
        return []
    lines: list[str] = []
    try:
        with db.read() as session:
            names = session.execute(text("select name from sqlite_master where type = 'table'")).scalars().all()
        for name in names:
            with db.read() as session:
                lines += session.execute(text(f"pragma quick_check('{name}')")).scalars()
    except Damaged as error:
        lines.append(str(error.__cause__ and getattr(error.__cause__, "orig", error)))
    return sorted({line for line in lines if line != "ok"})
