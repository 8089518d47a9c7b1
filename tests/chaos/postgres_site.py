"""A site on its own Postgres, behind a proxy: `appliance start` with several API workers, services and agent, and a second services process."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from appliance.server.db.session import Database
from tests.chaos.faults import Postgres
from tests.chaos.proxy import Proxy
from tests.e2e.appliance_process import TOKEN, Appliance, until
from tests.process_guard import marked_directory

WORKERS = 2
NAME = "site"  # of the role and of the database


class Wire:
    """One connection, which stays at the worker that took it. An answer is a status and a document."""

    def __init__(self, port: int, timeout: float = 40.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        response = self._send(method, path, body)
        return response.status, json.loads(response.read() or b"null")

    def stream(self, path: str) -> Iterator[dict[str, Any]]:
        """The changes that a live stream tells of, once it has said that it is there."""
        response = self._send("GET", path, None)
        assert response.status == 200
        while line := response.readline():
            if line.startswith(b"data:"):
                yield json.loads(line.removeprefix(b"data:"))

    def close(self) -> None:
        self._connection.close()

    def _send(self, method: str, path: str, body: Any) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        return self._connection.getresponse()


class PostgresSite:
    """All of it; `database` is the way to the database past the proxy. Its directory is kept when it is `broken`."""

    def __init__(self, directory: Path, postgres: Postgres, workers: int = WORKERS) -> None:
        self.broken = False
        self._size = workers
        self.postgres = postgres
        self.postgres.sql(f"create role {NAME} login; create database {NAME} owner {NAME};")
        self.proxy = Proxy(self.postgres.socket)
        self.database = Database(self.postgres.url.replace("/postgres?", f"/{NAME}?"))
        self.appliance = Appliance(
            directory / "data",
            APPLIANCE_DATABASE_URL=self.postgres.url_through(self.proxy.port, NAME, NAME),
            APPLIANCE_WORKERS=str(workers),
            APPLIANCE_SCHEDULER_INTERVAL="1",
        )
        self._log = directory / "services.log"
        self._services: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.appliance.start()
        self.start_services()

    def start_services(self) -> None:
        """The second services process, unless it runs."""
        if self._services is None or self._services.poll() is not None:
            self._log.unlink(missing_ok=True)
            with self._log.open("ab") as log:
                command = [sys.executable, "-m", "appliance", "services"]
                self._services = subprocess.Popen(command, env=self.appliance.environment, stdout=log, stderr=log)
            until("the services run", lambda: b"Services started" in self._log.read_bytes())

    def end_services(self, number: signal.Signals) -> None:
        assert self._services is not None
        self._services.send_signal(number)
        self._services.wait(20)

    def workers(self) -> list[psutil.Process]:
        """The processes that listen, without gunicorn's master."""
        assert self.appliance.process is not None
        found = psutil.Process(self.appliance.process.pid).children(recursive=True)
        listening = [process for process in found if self._listens(process)]
        masters = {process.ppid() for process in listening}
        return [process for process in listening if process.pid not in masters]

    def all_workers(self) -> list[psutil.Process]:
        return until("all workers listen", lambda: ready if len(ready := self.workers()) == self._size else None)

    def wire_to(self, worker: psutil.Process, timeout: float = 40.0) -> Wire:
        """A connection to this worker: the others are stopped while it is made."""
        others = [other.pid for other in self.workers() if other.pid != worker.pid]
        wire = Wire(self.appliance.port, timeout)
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert wire.ask("GET", "/healthz")[0] == 200
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        return wire

    def seconds_until_well(self, longest: float = 30.0) -> float:
        """How long it takes until every worker says that it is ready."""
        began = time.monotonic()
        for worker in self.all_workers():
            wire = self.wire_to(worker)
            until("the worker is ready", partial(_is_ready, wire), longest)
            wire.close()
        return time.monotonic() - began

    def close(self) -> None:
        self.proxy.set("pass")
        if self._services is not None and self._services.poll() is None:
            self._services.kill()
            self._services.wait()
        rest = psutil.Process(self.appliance.process.pid).children(recursive=True) if self.appliance.process else []
        self.appliance.end()
        for process in rest:  # runs outlive their appliance
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.database.dispose()
        self.proxy.close()

    def _listens(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.appliance.port
                for connection in process.net_connections("tcp")
            )
        return False


def _is_ready(wire: Wire) -> bool:
    return wire.ask("GET", "/readyz")[0] == 200


@contextmanager
def postgres_site(workers: int = WORKERS) -> Iterator[PostgresSite]:
    """Below /tmp, because Postgres can't run as root in a closed directory."""
    directory = marked_directory("appliance-postgres-site-")
    postgres = Postgres(directory / "postgres")
    broken = True
    try:
        site = PostgresSite(directory, postgres, workers)
        try:
            site.start()
            yield site
        finally:
            site.close()
        broken = site.broken
    finally:
        postgres.close()
        if not broken:
            shutil.rmtree(directory, ignore_errors=True)
