"""The server itself: its version and whether it is well."""

from __future__ import annotations

from typing import Any

from appliance.client import wire
from appliance.client.errors import ClientError
from appliance.client.transport import Transport, path
from appliance.protocol.system import ServerInfo


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


def disk(transport: Transport) -> dict[str, Any]:
    """How full the disk of the database is, and when it will be full."""
    return wire.decode(transport.send("GET", path("system", "disk"), idempotent=True), dict[str, Any])


def free_space(transport: Transport, keep_days: float) -> dict[str, Any]:
    """Delete what is oldest, though nothing younger than `keep_days`, until there is room again; what that did."""
    content = wire.encode({"keep_days": keep_days})
    return wire.decode(transport.send("POST", path("system", "free-space"), content), dict[str, Any])
