"""The connection to the server that a command uses."""

from __future__ import annotations

from appliance import config
from appliance.client.transport import Transport


def connect() -> Transport:
    """A transport to APPLIANCE_URL with APPLIANCE_TOKEN."""
    url, token = config.client_address()
    return Transport(url, token)
