"""The site under test: server, two services processes and two process agents of one name, each started and ended on its own, over two proxies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from appliance.agents.attempts import process_identity
from appliance.client import system
from appliance.client.errors import ClientError
from appliance.client.transport import Transport
from appliance.server.db.session import Database
from tests.bench import processes
from tests.chaos import stepped
from tests.chaos.proxy import Proxy
from tests.e2e.appliance_process import TOKEN, clean_environment, free_port, until

FLOWS = Path(__file__).with_name("flows.py")
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {  # everything happens sooner than in production, in the same proportions
    "APPLIANCE_SCHEDULER_INTERVAL": "1",
    "APPLIANCE_REPAIR_INTERVAL": "2",
    "APPLIANCE_RUN_LEASE": "20",
    "APPLIANCE_HEARTBEAT_INTERVAL": "2",
}
SERVICES = ("services-1", "services-2")
AGENTS = ("agent", "agent-2")
"""Under one name and with one token."""
NAMES = ("server", *SERVICES, *AGENTS)


class Site:
    """`directory` is kept when something went wrong; `data` lies elsewhere when a small disk was asked for."""

    def __init__(
        self,
        directory: Path,
        data: Path,
        database_url: str = "",
        settings: Mapping[str, str] = SETTINGS,
        capacity: int = 6,
    ) -> None:
        self.directory, self.data = directory, data
        self.ledger, self._capacity = directory / "ledger", capacity
        for name in ("server", "services"):
            self.set_clock(name, 0)
        self.port = free_port()
        url = {"APPLIANCE_DATABASE_URL": database_url} if database_url else {}
        self.database_url = database_url or f"sqlite:///{data / 'appliance.db'}"
        self._environ = clean_environment(
            APPLIANCE_DATA_DIR=str(data), APPLIANCE_PORT=str(self.port), APPLIANCE_ADMIN_TOKEN=TOKEN,
            PYTHONPATH=str(ROOT), **settings, **url,
        )  # fmt: skip
        self.clients, self.agents = Proxy(self.port), Proxy(self.port)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._agent_token = ""

    def serve(self) -> None:
        """Start the server, and register the flows."""
        self.start("server")
        with Transport(f"http://127.0.0.1:{self.port}", TOKEN, tries=1) as direct:
            until("the server listens", lambda: self._answers(direct), 60)
        self._cli("register", str(FLOWS), "--project", "chaos")

    def open(self) -> None:
        """Start all of it, with a limit on one of the flows."""
        self.serve()
        answer = self._cli("token", "create", "chaos", "--scope", "agent")
        found = re.search(r"apl_agent_\S+", answer)
        assert found, answer
        self._agent_token = found[0]
        self._cli("limit", "set", "flow", "chaos/work", "4")
        for name in NAMES[1:]:
            self.start(name)

    def _answers(self, direct: Transport) -> bool:
        assert self._processes["server"].poll() is None, (self.directory / "server.log").read_text()
        try:
            return bool(system.info(direct))
        except ClientError:
            return False

    def start(self, name: str) -> None:
        """Start it unless it runs."""
        before = self._processes.get(name)
        if before is not None and before.poll() is None:
            return
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *self._command(name)],
                env=self._environment(name), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    def cpu_seconds(self, name: str) -> float:
        """What it has used since its start, with the processes that it has started."""
        return processes.cpu_seconds(processes.tree(self._processes[name].pid))

    def set_clock(self, name: str, ahead: float) -> None:
        """Have the wall clock of the server, or of both services, be wrong by so many seconds."""
        stepped.move(self._offset(name), ahead)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        self._processes[name].terminate()
        return self._processes[name].wait(30)

    def come_to_rest(self) -> None:
        """Stop what plans, judges, and starts runs, and wait for those that are under way. The server stays, and the data no longer changes: a planned
        run that is due now waits."""
        for name in (*SERVICES, *AGENTS):
            self.stop(name)
        until("the last short runs are over", lambda: not self.runs(), 60)

    def runs(self) -> dict[str, int]:
        """The processes of runs that are alive, by run id, as the agent has recorded them."""
        found = {}
        for job in self.directory.glob("agent*/runs/*/job.json"):
            with suppress(OSError, ValueError):
                known = json.loads(job.read_text())
                if known["born"] and process_identity(known["pid"]) == known["born"]:
                    found[known["flow_run_id"]] = known["pid"]
        return found

    def close(self) -> None:
        """End whatever is left."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        for pid in self.runs().values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.clients.close()
        self.agents.close()

    def database(self) -> Database:
        return Database(self.database_url)

    def _command(self, name: str) -> list[str]:
        if name in AGENTS:
            state = ["--state-dir", str(self.directory / name), "--slots", str(self._capacity)]
            return ["-m", "appliance", "agent", "start", "process", "--name", "chaos", *state]
        command = name.partition("-")[0]
        return ["-m", "tests.chaos.stepped", str(self._offset(command)), command]

    def _offset(self, name: str) -> Path:
        return self.directory / f"clock-of-{name}"

    def _environment(self, name: str) -> dict[str, str]:
        if name not in AGENTS:
            return self._environ
        return clean_environment(
            APPLIANCE_URL=self.agents.url, APPLIANCE_TOKEN=self._agent_token, CHAOS_LEDGER=str(self.ledger),
            APPLIANCE_RESULTS_URL=(self.directory / "results").as_uri(), APPLIANCE_AGENT_ROOTS=str(FLOWS.parent),
        )  # fmt: skip

    def _cli(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "appliance", *arguments],
            env=clean_environment(APPLIANCE_URL=f"http://127.0.0.1:{self.port}", APPLIANCE_TOKEN=TOKEN),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr
