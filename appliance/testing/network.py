"""A block in which Python code can't reach the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.kit.errors import ApplianceError


class NetworkRefused(ApplianceError):
    """Code under test wanted to use the network. No OSError, so that nothing takes it for an outage and tries again."""


@contextmanager
def no_network(*, loopback: bool = False) -> Iterator[None]:
    """Inside the block connections and look-ups of names raise NetworkRefused, in every thread; with `loopback` those to this
    machine are let through. Unix sockets work. Other processes and libraries that bring their own sockets aren't affected.
    """

    def refuse(what: Any) -> None:
        host = what[0] if isinstance(what, tuple) and what else what
        if not (loopback and str(host).startswith(("127.", "localhost", "::1", "None"))):
            raise NetworkRefused(
                f"A test without network wanted to reach {what!r}; replace that part in the test, "
                "or allow this machine with no_network(loopback=True)."
            )

    def guarded(name: str) -> Any:
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
    own = {name: socket.socket.__dict__.get(name) for name in names}
    for name in names:
        setattr(socket.socket, name, guarded(name))
    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, before in own.items():
            if before is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, before)
