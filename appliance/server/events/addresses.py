"""To which addresses automations may send: any but those of this machine, of the link, and of ourselves, unless an administrator lists them.

A name is resolved once, and the connection is made to what was checked: a second answer of its name server is never asked for.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass

from appliance.kit.errors import ApplianceError


class NotSent(ApplianceError):
    """A sentence that says why a message did not arrive."""


class Refused(NotSent):
    """Nothing is sent to this address, however often it is tried."""


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Place:
    """An address to which something may be sent."""

    family: int
    kind: int
    address: tuple[str, int]


@dataclass(frozen=True)
class Bounds:
    """What is listed, such as 127.0.0.1:9093, and the ports that the appliance itself listens on."""

    listed: Collection[str] = ()
    own_ports: Collection[int] = ()


def places(host: str, port: int, bounds: Bounds, kind: int = socket.SOCK_STREAM) -> list[Place]:
    """Where the host is now. Raises NotSent, or Refused if any of its addresses is refused."""
    try:
        known = socket.getaddrinfo(host, port, type=kind)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"The name {host[:80]} can't be resolved.") from error
    resolved = list(dict.fromkeys(Place(family, kind, (str(address[0]), port)) for family, _, _, _, address in known))
    for place in resolved:
        ip = place.address[0]
        if not {_written(host, port), _written(ip, port)} & {*bounds.listed}:
            _check(ip, port, bounds.own_ports)
    return resolved


def check_socket(path: str, bounds: Bounds) -> None:
    """Raise Refused for a socket of Unix that isn't listed. That of the system's log always is."""
    if path != "/dev/log" and f"unix:{path}" not in bounds.listed:
        raise Refused(
            f"The socket {path[:80]} isn't open to automations; an administrator can list it as unix:{path[:80]}."
        )


def _check(text: str, port: int, own_ports: Collection[int]) -> None:
    ip = _inner(ipaddress.ip_address(text))
    why = next((why for why, holds in _reasons(ip) if holds), None)
    if why is None and port in own_ports and _is_ours(text):
        why = "a port of the appliance itself"
    if why is not None:
        raise Refused(
            f"Nothing is sent to {_written(text, port)}, which is {why}; an administrator can list it in APPLIANCE_AUTOMATION_TARGETS."
        )


def _reasons(ip: _IP) -> tuple[tuple[str, bool], ...]:
    return (
        ("on this machine", ip.is_loopback or ip.is_unspecified or (ip.packed[0] == 0 and ip.version == 4)),
        ("on the link alone", ip.is_link_local),
        ("no address of one host", ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255")),
    )


def _inner(ip: _IP) -> _IP:
    """The address of version 4 that one of version 6 leads to, if it does."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    mapped = ip.ipv4_mapped or ip.sixtofour
    if mapped is not None:
        return mapped
    if ip in _NAT64 or (ip.packed[:12] == bytes(12) and int(ip) > 1):
        return ipaddress.IPv4Address(ip.packed[12:])
    return ip


def _is_ours(text: str) -> bool:
    """Whether this machine has the address: only then can something listen on it."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((text, 0))
        except OSError:
            return False
    return True


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host.lower()}:{port}"
