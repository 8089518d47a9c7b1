"""The web server's entry point: `appliance.server.asgi:create` builds the app from the environment's settings."""

from __future__ import annotations

import gc

from litestar import Litestar

from appliance.config import Settings, load
from appliance.kit.loop_watchdog import LoopWatchdog
from appliance.server.app import create_app
from appliance.server.db.read_limit import LONGEST_READ
from appliance.server.db.session import open_database


def create(settings: Settings | None = None) -> Litestar:
    """The app on the database in the settings, whose tables must be up to date (`appliance server` makes sure of that)."""
    settings = settings or load()
    app = create_app(settings, open_database(settings, longest_read=LONGEST_READ))
    watchdog = LoopWatchdog()
    app.on_startup.append(watchdog.start)
    app.on_shutdown.append(watchdog.stop)
    rest_collector()
    return app


def rest_collector() -> None:
    """Exempt objects that live as long as the process (routes, schemas) from garbage collection. Traversing them took a quarter of a
    second, at the expense of whichever request had allocated enough new objects."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
