"""The story of two hosts with real agents, each in a network of its own that reaches the server alone, and killed with all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from tests import networks
from tests.e2e.appliance_process import clean_environment
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_two_hosts import FLOWS, Host, Site, go_on

pytestmark = pytest.mark.slow


class FarHost(Host):
    """An agent on a host of its own, which ends as in a power cut."""

    def __init__(self, name: str, url: str, directory: Path, prefix: list[str]) -> None:
        super().__init__(name, url, directory)
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        options = ["--name", self.name, "--state-dir", str(self.directory / "state"), "--root", "/"]
        with (self.directory / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "appliance", "agent", "start", "process", *options],
                cwd=self.directory,
                env=clean_environment(
                    APPLIANCE_URL=self.url,
                    APPLIANCE_TOKEN=TOKEN,
                    APPLIANCE_DATA_DIR=str(self.directory),
                    APPLIANCE_RESULTS_URL=(self.directory / "results").as_uri(),
                ),
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self._process is not None:
            for pid in {self._process.pid, *_others(self._process.pid)}:
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class FarSite(Site):
    """For the server, a host that has lost its power is there for another while."""

    def waits_for_north(self, run: UUID) -> None:
        view = flow_runs.get(self.client, run)
        assert (view.state_type, view.attempt) == ("SCHEDULED", 1), view


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    if not networks.are_permitted():
        pytest.skip(networks.REASON)
    file = tmp_path / "flows.py"
    file.write_text(FLOWS)
    with ExitStack() as stack:
        stack.enter_context(networks.own_network())
        live = LiveServer(tmp_path / "data", APPLIANCE_HOST="0.0.0.0", APPLIANCE_LONGEST_WAIT="0.1").start()
        stack.callback(live.kill)
        live.register(file)
        monkeypatch.setenv("APPLIANCE_URL", live.url)
        monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
        found = FarSite(live, tmp_path)
        for number, name in enumerate(("north", "south"), 1):
            prefix, server = stack.enter_context(networks.far_host(number))
            host = FarHost(name, live.url.replace("127.0.0.1", server), tmp_path / name, prefix)
            stack.callback(host.stop)
            setattr(found, name, host)
        yield found


def test_no_successful_task_runs_twice_across_hosts_that_die(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    go_on(site, capsys)


def _others(pid: int) -> list[int]:
    """The processes that this one has started, and theirs."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid:
            found += [int(place.parent.name), *_others(int(place.parent.name))]
    return found
