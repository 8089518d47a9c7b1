"""The server itself: its version, health, and disk."""

from __future__ import annotations

from typing import Any

from appliance.client.errors import ClientError
from appliance.client.transport import Transport, path
from appliance.protocol.system import ServerInfo


def info(transport: Transport) -> ServerInfo:
    """The server's version, name, and time. Requires no token."""
    return transport.get(path("info"), ServerInfo)


def is_healthy(transport: Transport) -> bool:
    """Whether the server answers its health check."""
    try:
        return transport.ask("GET", "/healthz", dict[str, Any]).get("status") == "ok"
    except ClientError:
        return False


def disk(transport: Transport) -> dict[str, Any]:
    """How full the database's disk is, and when it will be full."""
    return transport.get(path("system", "disk"), dict[str, Any])


def free_space(transport: Transport, keep_days: float) -> dict[str, Any]:
    """Delete the oldest data until there is enough space, but nothing younger than `keep_days`. Returns what was deleted."""
    return transport.change("POST", path("system", "free-space"), {"keep_days": keep_days}, dict[str, Any])
