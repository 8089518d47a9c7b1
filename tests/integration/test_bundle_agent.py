"""Bundles under a real agent: the sources are gone, the agent dies, the bytes change, the key is missing or wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.packaging import archive, sealing
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.flows import Registered
from appliance.server.db.session import Database
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_process_agent import Host

FLOW = """
from appliance import Flow, get_logger, task
from shop.rates import RATE, Money

@task
def total() -> Money:
    money = Money(RATE * 21)
    get_logger().info("%s from %s", money, Money.__module__)
    return money

with Flow("totals") as flow:
    total()
"""
RATES = "from dataclasses import dataclass\nRATE = 2\n@dataclass\nclass Money:\n    amount: int\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    data = tmp_path_factory.mktemp("server") / "data"
    live = LiveServer(data, APPLIANCE_REPAIR_INTERVAL="0.2", APPLIANCE_RUN_LEASE="3").start()
    live.data = data  # type: ignore[attr-defined]
    yield live
    live.kill()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src/shop").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (folder / "requirements.lock").write_text("# nothing\n")
    (folder / "src/shop/__init__.py").touch()
    (folder / "src/shop/totals.py").write_text(FLOW)
    (folder / "src/shop/rates.py").write_text(RATES)
    return folder


@pytest.fixture
def host(server: LiveServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(server, tmp_path / "state", warm=False)
    host.state = tmp_path / "state"  # type: ignore[attr-defined]
    yield host
    if hasattr(host, "_stop"):
        host.stop()


def registered(server: LiveServer, project: Path) -> Registered:
    ((flow, found),) = flows_in(project / "src/shop/totals.py")
    lines: list[str] = []
    store = SiteStore(server.client, "p", lines.append)
    answer = register(flow, "p", transport=server.client, storage=store.default(found))
    assert lines == []
    return answer


def waits(server: LiveServer, run: UUID, condition: Callable[[FlowRunView], bool] = lambda view: True) -> FlowRunView:
    return server.until(run, lambda view: view.state_type == "PAUSED" and condition(view))


def rows(server: LiveServer, statement: str, *values: Any) -> list[Any]:
    """Of the server's database."""
    database = Database(f"sqlite:///{server.data / 'appliance.db'}")  # type: ignore[attr-defined]
    try:
        with database.write("test") as session:
            result = session.connection().exec_driver_sql(statement, values)
            return list(result.all()) if result.returns_rows else []
    finally:
        database.dispose()


def said(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


@pytest.mark.parametrize("sealed", [False, True])
def test_a_run_needs_no_sources_on_its_agents_machine(
    server: LiveServer, project: Path, host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sealed: bool
) -> None:
    if sealed:
        sealing.new_key(tmp_path / "site.key")
        monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    registered(server, project)
    again = registered(server, project)
    assert not again.created
    (storage,) = (
        json.loads(text)
        for (text,) in rows(server, "select storage from flow_version where id = ?", again.version_id.hex)
    )
    assert (storage["path"], storage.get("sealed", False)) == ("src/shop/totals.py", sealed)
    assert ("files" not in storage) == sealed
    shutil.rmtree(project)
    host.start()
    for _ in range(2):
        run = server.create("totals")
        assert server.ended(run).state_type == "SUCCESS", said(server, run)
        assert "Money(amount=42) from shop.rates" in said(server, run)
    kept = [bytes(content) for (content,) in rows(server, "select content from bundle where sealed = ?", sealed)]
    assert kept and all((b"rates.py" in content) != sealed for content in kept)


def test_another_agent_with_less_says_what_it_lacks(
    server: LiveServer, project: Path, host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("site", "other"):
        sealing.new_key(tmp_path / f"{name}.key")
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    registered(server, project)
    host.start()
    assert server.ended(server.create("totals")).state_type == "SUCCESS", "the agent has said what it knows"
    (project / "src/shop/rates.py").write_text(RATES + "# sealed\n")
    registered(server, project)
    monkeypatch.delenv(sealing.SETTING)
    run = server.create("totals")
    assert "no key to open it: set APPLIANCE_BUNDLE_KEY_FILE to the site's key file" in waits(server, run).state_message
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "other.key"))
    flow_runs.resume(server.client, run)
    assert (
        "sealed with another key than this agent's"
        in waits(server, run, lambda view: "another key" in view.state_message).state_message
    )
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    flow_runs.resume(server.client, run)
    assert server.ended(run).state_type == "SUCCESS", said(server, run)


def test_sealed_code_waits_for_an_agent_with_a_key(
    server: LiveServer, project: Path, host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host.start()
    sealing.new_key(tmp_path / "site.key")
    (project / "src/shop/rates.py").write_text(RATES)
    assert registered(server, project).warnings == []
    assert server.ended(server.create("totals")).state_type == "SUCCESS", "the agent has said what it knows"
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    answer = registered(server, project)
    sentence = "The code is sealed, and no live agent that could start the run has a key (APPLIANCE_BUNDLE_KEY_FILE)."
    assert answer.warnings == [f"{sentence} Runs wait until one does."]
    assert answer.changes == ["the code is sealed"]
    run = server.create("totals")
    host.stop()
    assert flow_runs.get(server.client, run).state_type == "SCHEDULED", "the agent did not take it"
    host.start()  # now with the key
    assert server.ended(run).state_type == "SUCCESS", said(server, run)


@pytest.mark.parametrize("how", ["changed", "swapped"])
def test_changed_bytes_on_the_server_are_refused(server: LiveServer, project: Path, host: Host, how: str) -> None:
    (project / "src/shop/rates.py").write_text(f"{RATES}# {how}\n")
    answer = registered(server, project)
    named = "select bundle_id from named_bundle where flow_version_id = ?"
    ((content,),) = rows(server, f"select content from bundle where id = ({named})", answer.version_id.hex)
    forged = bytearray(content)
    forged[-40] ^= 255
    if how == "swapped":
        forged = bytearray(archive.pack({"src/shop/totals.py": b"raise SystemExit('forged')"}))
    digest = sha256(forged if how == "swapped" else content).hexdigest()
    change = f"update bundle set content = ?, sha256 = ? where id = ({named})"
    rows(server, change, bytes(forged), digest, answer.version_id.hex)
    host.start()
    run = server.create("totals")
    message = waits(server, run).state_message
    assert (
        "was damaged" if how == "changed" else "has changed or is gone"
    ) in message or "register the flow again" in message
    assert not [path for path in (host.state / "code").iterdir() if path.is_dir()]
    rows(server, change, content, sha256(content).hexdigest(), answer.version_id.hex)
    flow_runs.resume(server.client, run)
    assert server.ended(run).state_type == "SUCCESS", said(server, run)


def test_an_agent_that_is_killed_while_it_fetches_leaves_nothing_half_done(
    server: LiveServer, project: Path, host: Host, tmp_path: Path
) -> None:
    (project / "src/shop/rates.py").write_text(RATES + "# killed\n")
    registered(server, project)
    run = server.create("totals")
    environ = {
        **os.environ,
        "APPLIANCE_CRASH": "agent.fetched:1:kill",
        "APPLIANCE_URL": server.url,
        "APPLIANCE_TOKEN": TOKEN,
    }
    command = [
        sys.executable,
        "-m",
        "appliance",
        "agent",
        "start",
        "process",
        "--name",
        "host",
        "--state-dir",
        str(host.state),
    ]
    killed = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    host.start()
    services = subprocess.Popen([sys.executable, "-m", "appliance", "services"], env=server._environ)
    try:
        assert server.ended(run).state_type == "SUCCESS", said(server, run)
    finally:
        services.terminate()
        services.wait(30)
    folders = [path for path in (host.state / "code").iterdir() if path.is_dir()]
    assert [len(path.name) for path in folders] == [64]
