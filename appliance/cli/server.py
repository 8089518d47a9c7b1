"""`appliance server`: API, UI, and metrics. One uvicorn process on SQLite; gunicorn with any number of workers on Postgres."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.cli.options import server_options
from appliance.config import Settings

if TYPE_CHECKING:
    from litestar import Litestar

_STARTUP_FAILURE, _BACKLOG = 3, 2048  # as uvicorn has them
GRACE = 10  # seconds that open requests get to finish on shutdown
MOST_FILES = 65_536
KEEP_ALIVE = 75  # seconds; longer than clients and proxies keep an idle connection


@click.command(
    epilog="\b\nExamples:\n  appliance server --host 0.0.0.0"
    "\n  appliance server --workers 4 --database-url postgresql://appliance@db.example/appliance"
)
@server_options
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Number of worker processes; requires Postgres [APPLIANCE_WORKERS, 1].",
)
def server(**options: Any) -> None:
    """Run only the API, UI, and metrics."""
    settings = config.load(**options)
    from appliance.cli import database, prepare

    prepare.keep_files_private()
    lock = (
        prepare.data_directory(settings) if settings.workers == 1 and settings.database.startswith("sqlite") else None
    )
    prepare.free_port(settings)
    prepare.workers(settings)
    db = database.opened(settings)
    database.announce(settings, database.first_user(settings, db))
    db.dispose()
    try:
        serve(settings)
        database.leave_one_file(settings)
    finally:
        if lock is not None:
            lock.close()


def serve(settings: Settings, app: Litestar | None = None) -> None:
    """Serve until SIGTERM or SIGINT. A single process can serve an `app` that was created before the fork."""
    from appliance.kit import logs, memory

    memory.share_arenas()
    raise_file_limit()
    logs.configure(settings.log_level, settings.log_format)
    if settings.workers == 1:
        _serve_alone(settings, app)
    else:
        _serve_many(settings)


def raise_file_limit() -> None:
    """Allow as many open files as the system lets this process have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _serve_alone(settings: Settings, app: Litestar | None) -> None:
    import uvicorn

    from appliance.cli.patient_server import PatientServer
    from appliance.server import asgi
    from appliance.server.web import connections

    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again after stopping; exit with 0
    web = PatientServer(
        uvicorn.Config(
            app or asgi.create(settings),
            host=settings.host,
            port=settings.port,
            http=connections.Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the app knows which proxies to believe
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=KEEP_ALIVE,
        )
    )
    try:
        web.run(_both_families(settings.port) if settings.host == "::" else None)
    except KeyboardInterrupt:
        return
    if not web.started:
        sys.exit(_STARTUP_FAILURE)


def _both_families(port: int) -> list[socket.socket]:
    """A socket for every address of this machine, IPv6 and IPv4. On its own, asyncio would take only IPv6."""
    is_dual = socket.has_dualstack_ipv6()
    return [socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=is_dual)]


def _serve_many(settings: Settings) -> None:
    from appliance.cli.workers import Gunicorn
    from appliance.server.web import connections

    connections.share(settings.workers)
    Gunicorn(settings, keep_alive=KEEP_ALIVE, grace=GRACE).run()
