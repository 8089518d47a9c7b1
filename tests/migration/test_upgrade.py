"""Upgrading a database that is in use at a site: its rows stay, a copy is made before, and a kill at any statement leaves old or new."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from appliance.server.db import migrate, revisions, snapshots
from appliance.server.db.session import Database
from appliance.server.errors import Unavailable
from tests.migration.test_first import differences, postgres_server, url

__all__ = ["postgres_server", "url"]

OLD = revisions.supported()[-2]

KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from appliance.server.db import migrate
left = int(sys.argv[2])
def count(connection, cursor, sql, values, context, many):
    global left
    if sql.lstrip()[:6].upper() in ("PRAGMA", "SELECT"):
        return  # a read changes nothing: killed before it is killed before the next write
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", count)
migrate.upgrade(sys.argv[1])
"""


def old_database(url: str) -> None:
    migrate.upgrade(url)
    migrate.downgrade(url, OLD)
    database = Database(url)
    with database.write() as session:
        session.execute(
            text(
                "insert into project (id, name, description, created) values (:id, 'kept', '', '2026-01-01 00:00:00')"
            ),
            {"id": "0" * 32},
        )
    database.dispose()


def projects(url: str) -> list[str]:
    database = Database(url)
    with database.read() as session:
        found = [row[0] for row in session.execute(text("select name from project"))]
    database.dispose()
    return found


def test_an_upgrade_keeps_what_is_there(url: str) -> None:
    old_database(url)
    assert migrate.current(url) == OLD
    migrate.upgrade(url)
    assert migrate.current(url) == revisions.head()
    assert differences(url) == []
    assert projects(url) == ["kept"]


def test_a_copy_is_made_before_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'appliance.db'}"
    old_database(url)
    for _ in range(5):
        migrate.upgrade(url)
        migrate.upgrade(url)  # nothing to do: no copy
        migrate.downgrade(url, OLD)
    copies = sorted((tmp_path / snapshots.FOLDER).iterdir())
    assert [path.name.split("-20")[0] for path in copies] == [f"before-{revisions.head()}-from-{OLD}"] * 3
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
    for path in copies:
        with sqlite3.connect(path) as connection:
            assert connection.execute("select name from project").fetchall() == [("kept",)]
            assert connection.execute("select version_num from alembic_version").fetchone() == (OLD,)


def test_without_room_for_the_copy_nothing_changes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'appliance.db'}"
    old_database(url)
    (tmp_path / snapshots.FOLDER).write_text("in the way")
    with pytest.raises(Unavailable, match="could not be copied before its tables are changed"):
        migrate.upgrade(url)
    assert migrate.current(url) == OLD


def test_a_kill_at_any_statement_leaves_old_or_new(tmp_path: Path) -> None:
    """Each run dies one statement later than the one before, until one comes through."""
    url = f"sqlite:///{tmp_path / 'appliance.db'}"
    old_database(url)
    for left in range(1, 200):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, url, str(left)],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
            check=False,
            capture_output=True,
            timeout=60,
        )
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
        assert migrate.current(url) in (OLD, revisions.head())
        if migrate.current(url) == revisions.head():
            migrate.downgrade(url, OLD)
    else:
        pytest.fail("no run came through")
    assert left > 3  # the smallest migration, and what alembic asks before and after it
    assert differences(url) == []
    assert projects(url) == ["kept"]
