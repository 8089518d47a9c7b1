"""What web servers load: `appliance.server.asgi:create` makes the app from the environment's settings."""

from __future__ import annotations

from litestar import Litestar

from appliance.config import Settings, load
from appliance.server.app import create_app
from appliance.server.db.session import open_database


def create(settings: Settings | None = None) -> Litestar:
    """The app over the settings' database, whose tables must be up to date (`appliance server` sees to that)."""
    settings = settings or load()
    return create_app(settings, open_database(settings))
