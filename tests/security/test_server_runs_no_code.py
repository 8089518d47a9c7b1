"""The server keeps code and results as bytes: from the registration of a flow to the result of its run, it imports, unpickles, opens and starts nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from appliance.client.transport import path
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_process_agent import Host

pytestmark = pytest.mark.slow
EVENTS = ("import", "pickle.find_class", "exec", "open", "subprocess.Popen", "os.system", "os.exec")
HOOK = """
import os, sys
_record = os.open(os.environ["RECORD_OF_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def hook(event, arguments):
    if event in {events}:
        what = arguments[0]
        what = getattr(what, "co_filename", what) if event != "pickle.find_class" else ".".join(map(str, arguments))
        os.write(_record, f"{{event}} {{what!r}}\\n".encode())
sys.addaudithook(hook)
"""
FLOW = """
import pickle
from pathlib import Path
from appliance import Flow, task
import beside_the_evil_flow

Path({marker!r}).open("a").write("imported\\n")

class Evil:
    def __reduce__(self):
        return Path({marker!r}).write_text, ("unpickled",)

@task
def evil():
    return [Evil()]

with Flow("evil") as flow:
    evil()
"""
OURS = ("evil", "beside")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """What the server did, one event a line. Its interpreter is started with a hook."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(HOOK.format(events=EVENTS))
    return tmp_path / "record"


@pytest.fixture
def server(tmp_path: Path, record: Path) -> Iterator[LiveServer]:
    hooked = {"PYTHONPATH": f"{tmp_path / 'hook'}:{Path(__file__).parents[2]}", "RECORD_OF_EVENTS": str(record)}
    live = LiveServer(tmp_path / "data", **hooked).start()
    yield live
    live.kill()


def test_the_server_loads_nothing_of_a_flow(server: LiveServer, record: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    marker = tmp_path / "marker"
    (project / "evil_flow.py").write_text(FLOW.format(marker=str(marker)))
    (project / "beside_the_evil_flow.py").write_text("")
    (project / "pyproject.toml").write_text("[project]\nname = 'evil'\n")
    ((flow, found),) = flows_in(project / "evil_flow.py")
    marker.write_text("")
    assert "import 'appliance" in record.read_text(), "the hook is at work"
    began = record.stat().st_size
    register(flow, "p", transport=server.client, storage=found)
    register(flow, "p", transport=server.client, storage=SiteStore(server.client, "p", print).default(found))
    host = Host(server, tmp_path / "state", warm=False, results_url="appliance:")
    host.start()
    try:
        assert server.ended(server.create("evil")).state_type == "SUCCESS"
    finally:
        host.stop()
    assert server.client.get(path("results"), dict)["items"], "the run's result is on the server"
    query = {"query": "{ flows { items { name recentRuns(first: 1) { name } } } }"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx2.post(f"{server.url}/graphql", json=query, headers=headers, timeout=40).json()
    assert answer["data"]["flows"]["items"][0]["recentRuns"], answer
    events = record.read_bytes()[began:].decode().splitlines()
    assert "import 'strawberry'" in events, "the hook is still at work: this is loaded with the first query"
    assert not [event for event in events if any(name in event for name in OURS)]
    loading = ("pickle.", "subprocess", "os.", "exec")
    foreign = [event for event in events if event.startswith(loading) and "site-packages" not in event]
    assert [event for event in foreign if not is_our_own(event)] == []
    assert marker.read_text() == "imported\n", "by the run alone"


def is_our_own(event: str) -> bool:
    """Whether it is a module of the server or of Python that is loaded later."""
    return event.startswith("exec") and (
        str(Path(__file__).parents[2] / "appliance") in event or sys.base_prefix in event or "<" in event
    )


def test_the_hook_sees_what_it_is_for(tmp_path: Path, record: Path) -> None:
    (tmp_path / "evil_flow.py").write_text("")
    code = "import pickle, pathlib, os, evil_flow; pickle.loads(pickle.dumps(pathlib.PurePath())); open('evil_flow.py').close(); os.system('true')"
    environ = {"PYTHONPATH": str(tmp_path / "hook"), "RECORD_OF_EVENTS": str(record)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, cwd=tmp_path)
    for event in ("import 'evil_flow'", "pickle.find_class 'pathlib", "open 'evil_flow.py'", "os.system b'true'"):
        assert event in record.read_text()
