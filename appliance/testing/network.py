"""A block in which Python code can't reach the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.kit.errors import ApplianceError


class NetworkRefused(ApplianceError):
    """The code under test tried to use the network. Not an OSError, so that nothing mistakes it for an outage and retries."""


@contextmanager
def no_network(*, loopback: bool = False) -> Iterator[None]:
    """Inside the block, connections and name look-ups raise NetworkRefused in every thread. With `loopback`, those to this machine
    are allowed. Unix sockets work. Other processes and libraries with their own socket implementation are not affected.
    """

    def refuse(address: Any) -> None:
        host = address[0] if isinstance(address, tuple) and address else address
        if not (loopback and str(host).startswith(("127.", "localhost", "::1", "None"))):
            raise NetworkRefused(
                f"A test without a network tried to reach {address!r}; replace that part in the test, "
                "or allow this machine with no_network(loopback=True)."
            )

    def guard(name: str) -> Any:
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse(args[-1])
            return original(self, *args)

        return call

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(host if host is None or isinstance(host, str) else bytes(host).decode(errors="replace"))
        return look_up(host, *args, **kwargs)

    names = ("connect", "connect_ex", "sendto")
    originals = {name: socket.socket.__dict__.get(name) for name in names}
    for name in names:
        setattr(socket.socket, name, guard(name))
    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, before in originals.items():
            if before is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, before)
