"""Connections that never get to a request, and guessed passwords, against each of several workers: every one has the same limits."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from appliance.server.auth import throttle
from appliance.server.web import connections
from tests.chaos.postgres_site import PostgresSite, postgres_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("postgres site")]
WORKERS = 2
LATEST = connections.PATIENCE + 10.0
SLOW = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[PostgresSite]:
    with postgres_site(WORKERS) as opened:
        before = request.session.testsfailed
        yield opened
        opened.broken = request.session.testsfailed > before


def connect(site: PostgresSite, worker: psutil.Process, number: int = 1) -> list[socket.socket]:
    """Connections that this worker has accepted: the others are stopped while they are made."""
    others = [other.pid for other in site.workers() if other.pid != worker.pid]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        made = [socket.create_connection(("127.0.0.1", site.appliance.port), timeout=LATEST) for _ in range(number)]
        ports = {connection.getsockname()[1] for connection in made}
        while not ports <= {one.raddr.port for one in worker.net_connections("tcp") if one.raddr}:
            pass  # until it has accepted them
        return made
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def rest(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:  # some of what was sent had not been read
        pass
    return b"".join(parts)


def test_slow_headers_and_silence_are_cut_off_by_every_worker(site: PostgresSite) -> None:
    with ExitStack() as stack:
        slow, silent = [], []
        for worker in site.all_workers():
            one, other = (stack.enter_context(connection) for connection in connect(site, worker, 2))
            slow.append(one)
            silent.append(other)
        began = time.monotonic()
        ended = threading.Event()

        def drip() -> None:
            """A byte now and then, so that no pause is ever long."""
            while not ended.wait(0.5):
                for connection in slow:
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        for connection in slow:
            connection.sendall(SLOW)
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            assert site.appliance.get("/api/v1/me")
            assert [rest(connection)[:12] for connection in slow] == [b"HTTP/1.1 408"] * WORKERS
            assert [rest(connection) for connection in silent] == [b""] * WORKERS
        finally:
            ended.set()
            thread.join()
        assert connections.PATIENCE - 2 < time.monotonic() - began < LATEST


def test_large_headers_are_refused_by_every_worker(site: PostgresSite) -> None:
    for worker in site.all_workers():
        for end in (b"", b"\r\n\r\n"):
            [connection] = connect(site, worker)
            with connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + end)
                assert rest(connection).startswith(b"HTTP/1.1 431")
    assert site.appliance.get("/api/v1/me")


def test_the_workers_share_the_connections_of_an_address(site: PostgresSite) -> None:
    """Together they hold as many without a request as a single server does."""
    share = connections.MOST_HALF_OPEN // WORKERS
    for worker in site.all_workers():
        with ExitStack() as stack:
            opened = [stack.enter_context(connection) for connection in connect(site, worker, share)]
            [another] = connect(site, worker)
            began = time.monotonic()
            with another:
                assert rest(opened[0]) == b""
            assert time.monotonic() - began < connections.PATIENCE / 2, "it made room at once"
    assert site.appliance.get("/api/v1/me")


def test_every_worker_counts_wrong_passwords(site: PostgresSite) -> None:
    for worker in site.all_workers():
        wire = site.wire_to(worker)
        guess = {"username": "admin", "password": "no such words"}
        statuses = [wire.ask("POST", "/api/v1/login", guess)[0] for _ in range(throttle.PAIR.attempts + 1)]
        wire.close()
        assert statuses == [*[401] * throttle.PAIR.attempts, 429]
