"""A real server in a process of its own, and waiting for what happens there by its live stream instead of by the clock."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx2

from appliance.client import flow_runs, system
from appliance.client.errors import ClientError
from appliance.client.transport import Transport, path
from appliance.kit import clock, crash
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.protocol.flow_runs import CreateFlowRun, FlowRunView
from appliance.protocol.states import TERMINAL

TOKEN = "apl_user_" + "i" * 43
LIMIT = 40.0


class LiveServer:
    """`appliance server` on a free port of the loopback, over a data directory of its own."""

    def __init__(self, directory: Path, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        self._environ = kept | {
            "APPLIANCE_DATA_DIR": str(directory),
            "APPLIANCE_PORT": str(port),
            "APPLIANCE_ADMIN_TOKEN": TOKEN,
            **settings,
        }
        self._log = directory.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.client = Transport(self.url, TOKEN, tries=100)

    def start(self) -> LiveServer:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "appliance", "server"]
            self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log)
        system.info(self.client)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def restart_after_its_crash(self) -> None:
        """Wait until it has died at the crash point in its settings, and start it without that."""
        assert self._process is not None
        self._process.wait(LIMIT)
        del self._environ[crash.VARIABLE]
        self.start()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and its end in order."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(30) == 0

    def register(self, file: Path) -> None:
        for flow, storage in flows_in(file):
            register(flow, "p", transport=self.client, storage=storage)

    def create(self, flow: str, **parameters: object) -> UUID:
        return flow_runs.create(self.client, CreateFlowRun(project="p", flow=flow, parameters=parameters)).id

    def until(self, run: UUID, condition: Callable[[FlowRunView], bool]) -> FlowRunView:
        """The run once the condition holds, looked at whenever the server announces a change, across its restarts."""
        deadline = clock.monotonic() + LIMIT
        while clock.monotonic() < deadline:
            try:
                found = self._watch(run, condition, deadline)
            except (httpx2.TransportError, ClientError):
                system.info(self.client)  # waits until it is back
                continue
            if found is not None:
                return found
        raise AssertionError(f"not in time: {flow_runs.get(self.client, run)}")

    def ended(self, run: UUID) -> FlowRunView:
        return self.until(run, lambda view: view.state_type in TERMINAL)

    def _watch(self, run: UUID, condition: Callable[[FlowRunView], bool], deadline: float) -> FlowRunView | None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with (
            httpx2.Client(trust_env=False, timeout=LIMIT) as http,
            http.stream("GET", self.url + path("events"), headers=headers) as stream,
        ):
            view = flow_runs.get(self.client, run)
            if condition(view):
                return view
            for line in stream.iter_lines():
                if line.startswith("data:") and str(run) in line:
                    view = flow_runs.get(self.client, run)
                    if condition(view):
                        return view
                if clock.monotonic() > deadline:
                    return None
        return None
