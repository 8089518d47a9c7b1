"""The names of servers become addresses within a time limit, which the system's resolver doesn't have: one that hangs would hold up a run or an agent for as
long as it likes. No address is kept, so that a server that moves is found at its new one."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

SECONDS = 5.0

MOST_UNSENT = 16 * 1024

Key = tuple[str, int]
Address = tuple[Any, Any, int, str, Any]
"""What `getaddrinfo` returns of one."""


class _Lookups:
    """The lookups that are under way, each in a thread. There is one for a name at a time, however often a resolver that hangs is asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Key, Future[list[Address]]] = {}

    def start(self, key: Key) -> Future[list[Address]]:
        """The one for this name."""
        with self._lock:
            lookup = self._open.get(key)
            if lookup is not None:
                return lookup
            lookup = self._open[key] = Future()
        try:
            threading.Thread(target=self._work, args=(key, lookup), name="appliance-name", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            self._work(key, lookup)
        return lookup

    def _work(self, key: Key, lookup: Future[list[Address]]) -> None:
        try:
            results = socket.getaddrinfo(*key, type=socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 - raised again by those who wait
            self._end(key)
            lookup.set_exception(error)
        else:
            self._end(key)
            lookup.set_result(results)

    def _end(self, key: Key) -> None:
        with self._lock:
            del self._open[key]


class _Process:
    lookups = _Lookups()

    @classmethod
    def forked(cls) -> None:
        """A child has none of its parent's threads."""
        cls.lookups = _Lookups()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.forked)


def addresses(host: str, port: int) -> list[Address]:
    """The addresses of a host. Raises OSError: TimeoutError if the resolver does not answer in time."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:  # it is a name
        lookup = _Process.lookups.start((host, port))
    try:
        return lookup.result(SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"its name was not resolved within {SECONDS:.0f} s") from error


def connected(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to the first address of a host that accepts one, with a time limit for each. Raises OSError."""
    failure = OSError("its name has no address")
    for family, kind, protocol, _, address in addresses(host, port):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hold_little_back(connection)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def hold_little_back(connection: socket.socket) -> None:
    """Let a request be sent no faster than the network takes it. The system would take in most of a long one at once: then the time for the answer would
    already run while the request is on its way, which is too short on a slow network, and the request would go on after it was given up."""
    with suppress(AttributeError, OSError):  # where there is no such option
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)
