"""Drives Prefect 3 from its own environment: a server with telemetry off, a served deployment, and the workloads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.bench.peers.environments import python_of
from tests.e2e.appliance_process import free_port, until

SCRIPT = Path(__file__).parent / "peers" / "prefect3.py"


class Prefect:
    """One Prefect server and the environment to call it with."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.port = python, free_port()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "APPLIANCE_"))},
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
        }

    def version(self) -> str:
        return self._python("-c", "import prefect; print(prefect.__version__)").strip()

    def tracked_seconds(self) -> float:
        return float(json.loads(self._python(str(SCRIPT), "tracked").splitlines()[-1])["seconds"])

    def work(self, work: str, steps: int) -> dict[str, Any]:
        """What the script prints of a kind of work of the comparison."""
        printed: dict[str, Any] = json.loads(self._python(str(SCRIPT), "work", work, str(steps)).splitlines()[-1])
        return printed

    def first_line_seconds(self, path: Path) -> float:
        return float(json.loads(self._python(str(SCRIPT), "first-line", str(path)).splitlines()[-1])["seconds"])

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.python), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return done.stdout


@contextmanager
def running(folder: Path) -> Iterator[Prefect]:
    """A Prefect server on loopback and a process that serves the first-line deployment."""
    prefect = Prefect(python_of("prefect3"), folder)
    command = [
        str(prefect.python),
        "-m",
        "prefect",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(prefect.port),
    ]
    processes = []
    with (folder / "prefect.log").open("wb") as log:
        try:
            for arguments in (command, [str(prefect.python), str(SCRIPT), "serve", str(folder)]):
                processes.append(
                    subprocess.Popen(arguments, env=prefect.environment, stdout=log, stderr=log, start_new_session=True)
                )
                until("Prefect's server is up", lambda: _healthy(prefect), 120)
            until("the deployment is served", lambda: _served(prefect), 60)
            yield prefect
        finally:
            for process in reversed(processes):
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process group to end, and insist after 15 s."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
            return


def _healthy(prefect: Prefect) -> bool:
    try:
        return httpx.get(f"{prefect.environment['PREFECT_API_URL']}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _served(prefect: Prefect) -> bool:
    address = f"{prefect.environment['PREFECT_API_URL']}/deployments/name/first-line/bench"
    return httpx.get(address, timeout=5).status_code == 200
