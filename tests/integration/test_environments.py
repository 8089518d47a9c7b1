"""Runs in environments of their own, under an agent of a real server and against its package index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance import config
from appliance.agents import pythons
from appliance.agents.environments import EnvironmentFailed, EnvironmentRules, Environments
from appliance.agents.installers import Installer
from appliance.cli.root import cli
from appliance.client import admin, flow_runs
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.tokens import CreateToken
from tests.integration.live import LiveServer
from tests.integration.test_process_agent import Host
from tests.second_python import second_python
from tests.wheelhouse import wheel

pytestmark = pytest.mark.slow

FLOWS = """
from appliance import Flow, ProcessRun, get_logger, task

@task
def show():
    import os, shutil, sys
    from importlib.util import find_spec
    import tiny
    found = [tiny.VERSION, find_spec("litestar") is None, sys.prefix == os.environ["VIRTUAL_ENV"], shutil.which("python").startswith(sys.prefix)]
    get_logger().info("found %s", found)

@task
def fall():
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)

with Flow("old", run_config=ProcessRun(requirements=["tiny==1.0"])) as old:
    show()

with Flow("new", run_config=ProcessRun(lock="tiny.lock")) as new:
    show()

with Flow("absent", run_config=ProcessRun(requirements=["absent==1.0"], env={"A": "b"})) as absent:
    show()

with Flow("falls", run_config=ProcessRun(requirements=["tiny==1.0"])) as falls:
    fall()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    wheels = tmp_path_factory.mktemp("wheels")
    flows = tmp_path_factory.mktemp("flows")
    wheel(wheels, "tiny", "1.0")
    digest = wheel(wheels, "tiny", "2.0")
    (flows / "flows.py").write_text(FLOWS)
    (flows / "tiny.lock").write_text(f"# a lock\ntiny==2.0 \\\n    --hash=sha256:{digest}\n")
    live = LiveServer(tmp_path_factory.mktemp("server") / "data", APPLIANCE_WHEELS=str(wheels)).start()
    live.register(flows / "flows.py")
    yield live
    live.kill()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agent")


def host(server: LiveServer, state: Path, warm: bool = True, allowed: bool = True) -> Host:
    rules = EnvironmentRules(allowed=allowed, index_url=f"{server.url}/simple")
    found = Host(server, state, warm=warm, environments=rules)
    found.start()
    return found


def lines(server: LiveServer, run: FlowRunView) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run.id)]


def run(server: LiveServer, flow: str) -> FlowRunView:
    return server.ended(server.create(flow))


def waiting(server: LiveServer, flow: str) -> FlowRunView:
    """A run that the agent gives back, because it lacks something."""
    return server.until(server.create(flow), lambda view: view.state == "Paused")


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_flows_with_packages_that_conflict_share_an_agent(server: LiveServer, state: Path, warm: bool) -> None:
    agent = host(server, state, warm)
    try:
        created = [server.create(flow) for flow in ("old", "new", "old", "new")]
        ended = [server.ended(each) for each in created]
        assert [each.state for each in ended] == ["Success"] * 4
        logs = [lines(server, each) for each in ended]
        for number, version in enumerate(("1.0", "2.0", "1.0", "2.0")):
            assert f"found ['{version}', True, True, True]" in logs[number]
        assert not warm or "Built environment " in "\n".join(logs[1] + logs[3])
        fallen = run(server, "falls")
        assert fallen.state == "Crashed" and "SIGKILL" in fallen.state_message, fallen
    finally:
        agent.stop()
    result = CliRunner().invoke(cli, ["agent", "environments", "list", "--state-dir", str(state), "--json"])
    listed = json.loads(result.stdout)
    assert sorted(each["requirements"] for each in listed) == [["tiny==1.0"], ["tiny==2.0"]]
    assert not any(each["in_use"] for each in listed)


def test_a_failed_build_says_what_is_missing(server: LiveServer, state: Path) -> None:
    agent = host(server, state)
    try:
        failed = waiting(server, "absent")
    finally:
        agent.stop()
    assert "has no wheel of absent 1.0" in failed.state_message
    said = "\n".join(lines(server, failed))
    assert "Building environment" in said and "absent was not found" in said


def test_a_run_goes_to_the_agent_with_its_python_and_is_given_back_for_what_the_index_lacks(
    server: LiveServer, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't succeed here: the index has no SDK, and no wheels of its dependencies for the second Python."""
    version, folder = second_python()
    (tmp_path / "flows.py").write_text(
        "from appliance import Flow, ProcessRun, task\n\n@task\ndef show():\n    pass\n\n"
        f"with Flow('second', run_config=ProcessRun(python={version!r}, requirements=['tiny==1.0'])) as second:\n    show()\n"
    )
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(pythons, "_USUAL", ())
    agent = host(server, state)
    try:
        server.register(tmp_path / "flows.py")
        run = server.until(server.create("second"), lambda view: view.wait_code == "no_python").id
        assert server.ended(server.create("old")).state == "Success", "which asks for no version"
        assert flow_runs.get(server.client, run).attempt == 0
    finally:
        agent.stop()
    monkeypatch.setenv("PATH", str(folder))
    agent = host(server, state)
    try:
        given_back = server.until(run, lambda view: view.state == "Paused")
    finally:
        agent.stop()
    assert "has no wheel of appliance-flows" in given_back.state_message, given_back
    assert any(f"Python {version}." in line for line in lines(server, given_back)), "it has chosen that one"


def test_an_agent_whose_administrator_has_not_allowed_it_says_so(server: LiveServer, tmp_path: Path) -> None:
    agent = host(server, tmp_path, allowed=False)
    try:
        held = server.until(server.create("old"), lambda view: view.wait_code == "no_python")
    finally:
        agent.stop()
    assert "APPLIANCE_AGENT_ENVIRONMENTS=true" in (held.wait_reason or "")
    agent = host(server, tmp_path)
    try:
        assert server.ended(held.id).state == "Success"
    finally:
        agent.stop()


def test_a_private_index_takes_the_agents_own_token_until_it_is_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "tiny", "1.0")
    private = LiveServer(tmp_path / "data", APPLIANCE_WHEELS=str(wheels), APPLIANCE_WHEELS_PUBLIC="false").start()
    started: list[str] = []
    really = Installer._started

    def start(self: Installer, command: list[str], environ: dict[str, str], *more: Any) -> Any:
        started.append(f"{command} {environ}")
        return really(self, command, environ, *more)

    monkeypatch.setattr(Installer, "_started", start)
    monkeypatch.setenv("NO_PROXY", "example.org")
    try:
        created = admin.create_token(private.client, CreateToken(name="edge", scope="agent"))
        rules = EnvironmentRules.of(config.load({}, agent_environments=True), private.url, created.token, default=False)
        assert created.token not in repr(rules)
        environments = Environments(tmp_path / "environments", rules)
        said: list[str] = []
        environments.obtain(None, ["tiny==1.0"], said.append).release()
        assert any("install" in line and "'NO_PROXY': 'example.org,127.0.0.1'" in line for line in started)
        kept = [file.read_bytes() for file in (tmp_path / "environments").rglob("*") if file.is_file()]
        assert not any(created.token in text for text in [*started, *said])
        assert not any(created.token.encode() in content for content in kept)

        with pytest.raises(EnvironmentFailed, match=r"has no wheel of absent 1\.0") as caught:
            environments.obtain(None, ["absent==1.0"])
        assert "http://127.0.0.1" not in caught.value.detail.replace(private.url, ""), "the relay's address"

        admin.delete_token(private.client, created.view.id)
        with pytest.raises(EnvironmentFailed, match="refuses this agent's token"):
            environments.obtain(None, ["tiny==2.0"])
    finally:
        private.kill()
