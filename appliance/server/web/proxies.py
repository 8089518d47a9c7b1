"""Whose request it is behind proxies: only what a trusted proxy says of the client counts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from appliance.config import Network

_MOST = 20
"""Proxies in a row; what stands before them isn't read."""


def client_of(scope: Any, trusted: Sequence[Network]) -> tuple[str, int] | None:
    """The address and port of the client. Each proxy appends the address that it sees, so that the last one that isn't a trusted proxy's is
    the client's; what stands before it, anybody could have written."""
    client: tuple[str, int] | None = scope.get("client")
    if client is None or not trusted or not is_in(client[0], trusted):
        return client
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for text in reversed(b",".join(values).decode("latin-1").rsplit(",", _MOST)[-_MOST:]):
        address = _address(text)
        if address is None:
            break
        client = (address, 0)
        if not is_in(address, trusted):
            break
    return client


def is_in(text: str, networks: Sequence[Network]) -> bool:
    """Whether the text is an address in one of the networks."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _address(text: str) -> str | None:
    """An address as proxies write it: some add a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
