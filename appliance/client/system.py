"""The server itself: its version and whether it is well."""

from __future__ import annotations

from appliance.client.errors import ClientError
from appliance.client.transport import Transport, path
from appliance.core.protocol import ServerInfo


def info(transport: Transport) -> ServerInfo:
    """Version, name and time of the server; needs no token."""
    return transport.get(path("info"), ServerInfo)


def is_healthy(transport: Transport) -> bool:
    """Whether the server answers its health check."""
    try:
        transport.send("GET", "/healthz")
    except ClientError:
        return False
    return True
