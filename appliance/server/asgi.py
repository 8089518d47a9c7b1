"""What web servers load: `appliance.server.asgi:create` makes the app from the environment's settings."""

from __future__ import annotations

import gc

from litestar import Litestar

from appliance.config import Settings, load
from appliance.server.app import create_app
from appliance.server.db.session import open_database


def create(settings: Settings | None = None) -> Litestar:
    """The app over the settings' database, whose tables must be up to date (`appliance server` sees to that)."""
    settings = settings or load()
    app = create_app(settings, open_database(settings))
    rest_collector()
    return app


def rest_collector() -> None:
    """Have the garbage collector leave alone what lives as long as the process (routes, schemas): walking through it took a quarter of
    a second, and fell upon whichever request had made enough new objects."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
