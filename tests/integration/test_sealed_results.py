"""Results that agents seal: the server carries what it can't read, and a run goes on only where the key is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.agents.process import ProcessAgent
from appliance.agents.run_keys import RunKeys
from appliance.cli.root import invoke
from appliance.client import flow_runs, results
from appliance.client.transport import Transport
from appliance.core.errors import ResultError
from appliance.engine.results.appliance import ApplianceResult
from appliance.packaging import sealing
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.live import TOKEN, LiveServer
from tests.roots import ANYWHERE

FLOWS = """
import os, pathlib, subprocess, sys
from appliance import Flow, context, task

HERE = pathlib.Path(__file__).parent

def note(name):
    with open(HERE / f"{context.flow_run_id}.{name}", "a") as file:
        print(os.environ["APPLIANCE_RUN_ATTEMPT"], file=file)

@task
def extract():
    note("extract")
    return "a confidential word"

@task
def large():
    note("large")
    return "a confidential word " * 10_000

@task(target="shared.pickle")
def target():
    return "a confidential word"

@task
def environment():
    show = "import os; print(sorted(os.environ))"
    child = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True).stdout
    return child + str(sorted(os.environ)) + pathlib.Path("/proc/self/environ").read_text()

@task
def load(word, text, shared, names):
    assert "APPLIANCE_RUN_ID" in names and "RESULTS_KEY" not in names and "RUN_TOKEN" not in names, names
    if os.environ["APPLIANCE_RUN_ATTEMPT"] == "1":
        raise ConnectionError("not yet")
    return len(word) + len(text) + len(shared)

with Flow("sealing") as sealing:
    load(extract(), large(), target(), environment())

@task
def read():
    from appliance.results import ApplianceResult
    return ApplianceResult().read("shared.pickle")

with Flow("reading") as reading:
    read()
"""


@contextmanager
def host(server: LiveServer, folder: Path, keys: RunKeys, *, warm: bool = True) -> Iterator[None]:
    """An agent whose runs keep their results with the appliance."""
    stop = threading.Event()
    agent = ProcessAgent(
        Transport(server.url, TOKEN), name=folder.name, state_dir=folder, roots=ANYWHERE, wait=0.3, warm=warm,
        results_url="appliance:", run_keys=keys,
    )  # fmt: skip
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def server(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    (tmp_path / "flows.py").write_text(FLOWS)
    live = LiveServer(tmp_path / "data", APPLIANCE_DATABASE_URL=database_url).start()
    live.register(tmp_path / "flows.py")
    monkeypatch.setenv("APPLIANCE_URL", live.url)
    monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
    yield live
    live.kill()


@pytest.mark.parametrize("database_url", [pytest.param("postgres", marks=pytest.mark.full), "sqlite"], indirect=True)
def test_a_run_goes_on_only_where_the_key_is(
    server: LiveServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, none = sealing.new_key(tmp_path / "site.key"), RunKeys()
    waiting, moved = server.create("sealing"), server.create("sealing")
    with host(server, tmp_path / "north", RunKeys(key)):
        assert server.ended(waiting).state == server.ended(moved).state == "Failed"
    what_the_server_has_says_nothing(database_url)
    only_the_key_reads_it(server, tmp_path, monkeypatch)

    assert invoke(["restart", str(waiting)]) == invoke(["restart", str(moved), "--anywhere"]) == 0
    with host(server, tmp_path / "east", none):
        assert server.ended(moved).state_type == "FAILED", "what others share is sealed, too"
        refused = [line.message for line in flow_runs.logs(server.client, moved)]
        assert any("there is no key here to open it; set APPLIANCE_BUNDLE_KEY_FILE" in line for line in refused), (
            refused
        )
        reading = server.ended(server.create("reading"))
        assert reading.state_type == "FAILED"
        view = flow_runs.get(server.client, waiting)
        assert (view.state_type, view.wait_code) == ("SCHEDULED", "no_results")
        assert f"sealed with key {key.ids[0]} that only agent north has, which does not take it now. Start agent " in (
            view.wait_reason or ""
        )
    with host(server, tmp_path / "south", RunKeys(key), warm=False):
        ended = server.ended(waiting)
        assert (ended.state, ended.attempt) == ("Success", 2)
        assert server.ended(server.create("reading")).state == "Success"
    assert [(tmp_path / f"{waiting}.{task}").read_text().split() for task in ("extract", "large")] == [["1"], ["1"]]
    assert (tmp_path / f"{moved}.extract").read_text().split() == ["1", "2"]


def test_another_key_seals_from_now_on_and_what_the_old_one_sealed_is_opened_until_that_goes(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.key"
    monkeypatch.setenv(sealing.SETTING, str(file))
    old = sealing.new_key(file).ids[0]
    first, second = server.create("sealing"), server.create("sealing")
    with host(server, tmp_path / "north", RunKeys.here()):
        assert server.ended(first).state == server.ended(second).state == "Failed"
    assert invoke(["restart", str(first)]) == invoke(["restart", str(second)]) == 0

    assert invoke(["bundle", "key", "add", str(file)]) == invoke(["bundle", "key", "switch", str(file)]) == 0
    new, kept = (key.id for key in sealing.keys_in(file))
    assert kept == old
    with host(server, tmp_path / "south", RunKeys.here()):
        assert server.ended(first).state == server.ended(second).state == "Success"
        third = server.create("sealing")
        assert server.ended(third).state == "Failed"
    for run in (first, second, third):
        of_run, _ = results.page(server.client, "p")
        sealed_with = {one.key_id for one in of_run if one.flow_run_id == run}
        assert sealed_with == ({new} if run == third else {old, new})
    assert [(tmp_path / f"{first}.{task}").read_text().split() for task in ("extract", "large")] == [["1"], ["1"]]
    assert ApplianceResult().read("shared.pickle") == "a confidential word"

    assert invoke(["restart", str(third)]) == 0
    assert invoke(["bundle", "key", "remove", str(file), new, "--yes"]) == 2, "it is the one that seals"
    (tmp_path / "late.key").write_text(next(line for line in file.read_text().splitlines()[::-1] if line[0] == "A"))
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "late.key"))
    with host(server, tmp_path / "west", RunKeys.here()):
        view = server.until(third, lambda view: view.wait_code == "no_results")
    assert f"sealed with key {new} that only agent south has" in (view.wait_reason or "")
    monkeypatch.setenv(sealing.SETTING, str(file))
    assert invoke(["bundle", "key", "remove", str(file), old, "--yes"]) == 0
    with host(server, tmp_path / "east", RunKeys.here()):
        assert server.ended(third).attempt == 2
    [left] = sealing.keys_in(file)
    assert (left.id, left.seals) == (new, True)


def what_the_server_has_says_nothing(database_url: str) -> None:
    database = Database(database_url)
    rows = builders.rows(database, "select location, sealed, content from kept_result")
    database.dispose()
    assert len(rows) >= 5 and all(row["sealed"] for row in rows)
    assert not any(b"confidential" in bytes(row["content"]) for row in rows)


def only_the_key_reads_it(server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResultError, match="there is no key here to open it; set APPLIANCE_BUNDLE_KEY_FILE"):
        ApplianceResult().read("shared.pickle")
    monkeypatch.setenv(sealing.SETTING, str(tmp_path / "site.key"))
    assert ApplianceResult().read("shared.pickle") == "a confidential word"
    assert ApplianceResult(project="p").exists("shared.pickle")
    monkeypatch.delenv(sealing.SETTING)
    listed, _ = results.page(server.client, "p", prefix="shared")
    assert [(one.location, one.sealed, one.flow_run_id) for one in listed] == [("shared.pickle", True, None)]
