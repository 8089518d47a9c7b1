"""How a command connects to the server."""

from __future__ import annotations

from appliance import config
from appliance.client.transport import Transport


def connect() -> Transport:
    """A transport to APPLIANCE_URL, authenticated with APPLIANCE_TOKEN."""
    url, token = config.client_address()
    return Transport(url, token)
