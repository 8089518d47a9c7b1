"""A real appliance under test: `appliance start` on a free loopback port with a data directory of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2 as httpx

FLOWS = Path(__file__).parent / "flows"
PASSWORD = "correct-horse-battery"
TOKEN = "apl_user_" + "t" * 43
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: str, question: Callable[[], T | None], seconds: float = 30.0) -> T:
    """Ask until the answer is true; fails with `what` when it isn't in time. For other processes' doings, which send no signal."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what} (last answer: {answer!r})")
        time.sleep(0.05)


def clean_environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("APPLIANCE_")}
    return {**kept, **more}


class Appliance:
    """One appliance: its process, its command line and its API."""

    def __init__(self, data_dir: Path, *, claimed: bool = True, roots: str = "/", **settings: str) -> None:
        """Its runs may write wherever tests look, so they are root as well if the tests are, unless `settings` say otherwise."""
        self.data_dir, self.port = data_dir, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        admin = {"APPLIANCE_ADMIN_PASSWORD": PASSWORD, "APPLIANCE_ADMIN_TOKEN": TOKEN} if claimed else {}
        self.environment = clean_environment(
            APPLIANCE_DATA_DIR=str(data_dir),
            APPLIANCE_PORT=str(self.port),
            APPLIANCE_DISK_RESERVE_BYTES="1048576",
            APPLIANCE_AGENT_ROOTS=roots,
            **{"APPLIANCE_AGENT_USER": str(os.geteuid()), **admin, **settings},
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = data_dir.parent / f"{data_dir.name}.log"

    def start(self, wait: bool = True) -> Appliance:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "appliance", "start"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            until(f"the appliance is ready; its log:\n{self.log()}", self.is_ready, 60)
        return self

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the appliance ended early:\n{self.log()}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL of the supervisor; the kernel ends its children."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        until("the port is free again", self._is_port_free)

    def end(self) -> None:
        """Whatever is left, ends; for fixtures."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")[-4000:] if self.log_path.exists() else ""

    def cli(
        self, *arguments: str, token: str = TOKEN, seconds: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "appliance", *arguments],
            env=clean_environment(**{"APPLIANCE_URL": self.url, "APPLIANCE_TOKEN": token, **environment}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def api(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> httpx.Response:
        return httpx.request(
            method, self.url + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10
        )

    def get(self, path: str) -> Any:
        answer = self.api("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def register(self, file: str, project: str = "tests") -> None:
        done = self.cli("register", str(FLOWS / file), "--project", project)
        assert done.returncode == 0, done.stderr

    def create_run(self, flow: str, project: str = "tests", **parameters: Any) -> str:
        answer = self.api("POST", "/api/v1/flow-runs", {"project": project, "flow": flow, "parameters": parameters})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/flow-runs/{run_id}"))

    def wait_for(self, run_id: str, *state_types: str, seconds: float = 60) -> dict[str, Any]:
        return until(
            f"run {run_id} is {' or '.join(state_types)}; log:\n{self.log()}",
            lambda: run if (run := self.run(run_id))["state_type"] in state_types else None,
            seconds,
        )

    def items(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list that comes in pages."""
        found: list[dict[str, Any]] = []
        after = ""
        joint = "&" if "?" in path else "?"
        while True:
            page = self.get(f"{path}{joint}limit=200" + (f"&after={after}" if after else ""))
            found += page["items"]
            after = page["next"] or ""
            if not after:
                return found

    def run_pid(self, run_id: str) -> int:
        """The process id of a run on this machine, from what the agent remembers."""
        return until(f"the agent knows the process of {run_id}", lambda: self._job_pid(run_id))

    def _job_pid(self, run_id: str) -> int | None:
        for job in self.data_dir.glob(f"agent/*/runs/{run_id}-*/job.json"):
            pid = json.loads(job.read_text()).get("pid")
            return int(pid) if pid else None
        return None

    def _is_port_free(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return False
        return True


@contextmanager
def running(data_dir: Path, *, roots: str = "/", **settings: str) -> Iterator[Appliance]:
    """A ready appliance that ends with the block."""
    appliance = Appliance(data_dir, roots=roots, **settings)
    try:
        yield appliance.start()
    finally:
        appliance.end()
