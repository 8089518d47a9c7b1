"""Backups of a Postgres database by its own tools, `pg_dump` and `pg_restore`, which must be installed where the command runs."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ProgrammingError

from appliance.kit import backoff, clock
from appliance.kit.clock import isoformat
from appliance.server.db.backups import COPIED, Verified, new_file, verify_database
from appliance.server.db.faults import passing_faults
from appliance.server.db.session import Database, address
from appliance.server.errors import Conflict, Invalid, Unavailable

_LEAVING = 2.0
_CLIENTS = """select count(*) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"""
_RESTORE = ("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error")


def create(url: str, target: Path) -> None:
    """Dump the database as it is at this moment. The file is complete or absent."""
    with new_file(target) as draft:
        _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}")


def verify(url: str, backup: Path) -> Verified:
    """Load the dump into a scratch database of the same server, which needs the right to create one, and look at it."""
    if not backup.is_file():
        raise Invalid(f"There is no file {backup.name}.")
    with _scratch_database(url) as scratch:
        try:
            _run(scratch, *_RESTORE, str(backup))
        except Unavailable as error:
            return Verified("", {}, [f"The dump can't be loaded. {error.message}"])
        return verify_database(scratch)


def restore(url: str, backup: Path, aside: Path, now: datetime) -> Verified:
    """Replace the tables by the dump's in one transaction, after the present ones were dumped to `aside`. Raises Conflict, Invalid
    and Unavailable; nothing is changed then."""
    _require_unused(url)
    verified = verify(url, backup)
    if verified.problems:
        raise Invalid(f"{backup.name} can't be restored. {' '.join(verified.problems)}")
    create(url, aside)
    with TemporaryDirectory(prefix=".restore-", dir=aside.parent) as folder:
        script = Path(folder) / "restore.sql"
        _run(url, *_RESTORE, "--clean", "--if-exists", f"--file={script}", str(backup), connect=False)
        with script.open("a") as file:
            file.write(
                "\ninsert into public.setting (name, value, updated) "
                f"values ('{COPIED}', '{isoformat(now)}', '{isoformat(now)}') on conflict (name) do nothing;\n"
            )
        _run(url, "psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={script}")
    return verified


def _require_unused(url: str) -> None:
    """Raise Conflict if others are connected. A connection that was just closed may be listed for a moment."""
    database, pauses = Database(url), backoff.delays(0.05, 0.5)
    deadline = clock.monotonic() + _LEAVING
    try:
        while _others(database):
            if clock.monotonic() > deadline:
                raise Conflict(
                    "The database is in use; stop the appliance and its services, and close other connections, first."
                )
            threading.Event().wait(next(pauses))
    finally:
        database.dispose()


def _others(database: Database) -> int:
    with passing_faults(), database.connect() as connection:
        return int(connection.execute(text(_CLIENTS)).scalar_one())


@contextmanager
def _scratch_database(url: str) -> Iterator[str]:
    parsed, name = make_url(address(url)), f"appliance_verify_{uuid4().hex}"
    try:
        _execute(url, f"create database {name} template template0")
    except ProgrammingError as error:  # insufficient privilege
        raise Unavailable(
            "A backup is verified in a scratch database, which the role may not create; grant it CREATEDB."
        ) from error
    try:
        yield parsed.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(url, f"drop database if exists {name} with (force)")


def _execute(url: str, statement: str) -> None:
    database = Database(url, patience=None)
    try:
        with passing_faults(), database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))
    finally:
        database.dispose()


def _run(url: str, tool: str, *arguments: str, connect: bool = True) -> None:
    """Run one of Postgres' tools on the database. Its password is not among the arguments, which others can see."""
    parsed = make_url(address(url))
    place = [f"--dbname={_dsn(parsed)}"] if connect else []
    try:
        done = subprocess.run(
            [tool, *place, *arguments], env=_environment(parsed), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise Unavailable(
            f"{tool} is not installed here; install Postgres' client tools of the server's version."
        ) from error
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr.strip())
        raise Unavailable(f"{tool} failed: {reason.partition('error:')[2].strip() or reason}.")


def _dsn(parsed: URL) -> str:
    return parsed.set(drivername="postgresql", password=None).render_as_string()


def _environment(parsed: URL) -> Mapping[str, str]:
    password = {} if parsed.password is None else {"PGPASSWORD": str(parsed.password)}
    return {**os.environ, **password}
