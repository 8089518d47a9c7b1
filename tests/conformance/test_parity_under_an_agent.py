"""The flows of the parity suite under a real agent: states, messages, calls and lines as with `flow.run()`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.states import TERMINAL
from tests.conformance.parity_sample import SAMPLE, surround
from tests.conformance.parity_suite import CASES
from tests.conformance.parity_surroundings import SECRETS
from tests.conformance.run_lines import server_lines
from tests.conformance.twice import Outcome, server_tasks, untracked
from tests.conformance.world import World
from tests.e2e.appliance_process import TOKEN, Appliance, until

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("parity under an agent")


@dataclass
class Site:
    """An appliance that has been asked to run every flow of the suite."""

    client: Transport
    worlds: Path
    runs: dict[str, UUID]

    def outcome(self, name: str, restarts: int) -> Outcome:
        """Resume and restart the run as often as the case says, and wait for its end."""
        run, world = self.runs[name], World(self.worlds / name)
        while True:
            view = until(f"{name} has stopped", lambda: self._stopped(run), 120)
            if view.state_type == "PAUSED":
                flow_runs.resume(self.client, run)
            elif world.restarts < restarts:
                world.restart()
                flow_runs.restart(self.client, run)
            else:
                return Outcome(
                    view.state,
                    server_tasks(self.client, run),
                    world.calls,
                    server_lines(self.client, run),
                    view.attempt,
                )

    def _stopped(self, run: UUID) -> flow_runs.FlowRun | None:
        view = flow_runs.get(self.client, run)
        return view if view.state_type == "PAUSED" or view.state_type in TERMINAL else None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("parity")
    appliance = Appliance(folder / "data", APPLIANCE_RESULTS_URL=(folder / "results").as_uri())
    environment = {"PARITY_WORLDS": str(folder / "worlds"), "PYTHONPATH": str(ROOT), **SECRETS}
    appliance.environment |= environment
    try:
        appliance.start()
        file = Path(__file__).with_name("parity_site.py")
        registered = appliance.cli("register", str(file), "--project", "parity", **environment)
        assert registered.returncode == 0, registered.stderr
        client = Transport(appliance.url, TOKEN)
        runs = {name: flow_runs.create(client, CreateFlowRun(project="parity", flow=name)).id for name in SAMPLE}
        yield Site(client, folder / "worlds", runs)
    finally:
        appliance.end()


@pytest.mark.parametrize("name", SAMPLE)
def test_a_flow_ends_alike(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    build, restarts = CASES[name]
    outcome = site.outcome(name, restarts)
    surround(monkeypatch, tmp_path)
    assert outcome == untracked(build, tmp_path, restarts=restarts)
