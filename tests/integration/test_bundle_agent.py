"""Bundles under a real agent: the sources are gone, the agent dies, the bytes change, the key is missing or wrong."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.agents.process import ProcessAgent
from appliance.client import flow_runs, flows, logs
from appliance.client.transport import Transport
from appliance.packaging import sealing
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.flows import Registered
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


def waits(server: LiveServer, run: UUID) -> FlowRunView:
    return server.until(run, lambda view: view.state_type == "PAUSED")


def said(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in logs.each(server.client, run)]


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
    version = flows.versions(server.client, again.flow_id)[0]
    storage = version["storage"]
    assert (storage["path"], storage.get("sealed", False)) == ("src/shop/totals.py", sealed)
    assert ("files" not in storage) == sealed
    shutil.rmtree(project)
    host.start()
    for _ in range(2):
        run = server.create("totals")
        assert server.ended(run).state_type == "SUCCESS", said(server, run)
        assert "Money(amount=42) from shop.rates" in said(server, run)
    database = sqlite3.connect(server.data / "appliance.db")  # type: ignore[attr-defined]
    kept = [bytes(row[0]) for row in database.execute("select content from bundle where sealed = ?", [sealed])]
    database.close()
    assert kept and all(b"rates.py" in content for content in kept) == (not sealed)
