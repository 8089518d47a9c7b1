"""What takes long before a run's process starts: held meanwhile, stopped at once, and told when it fails."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx2
import msgspec
import pytest

from appliance.agents import preparation
from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.packaging import loading
from appliance.packaging.storage import Access, CodeMissing, LoadError, Unreachable
from appliance.protocol import storage as storages
from appliance.protocol.agents import AgentReport, AgentReported, Enrolled, Exited, Held, TakenBack, Work
from appliance.protocol.fetched_code import FetchedCode
from tests.roots import ANYWHERE

HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PLACE = {"type": "slow", "path": "flows/empty.py", "flow": "f", "sha256": HASH}


class SlowCode(FetchedCode, kw_only=True):
    type: str = "slow"


class Slow:
    """A storage that delivers one empty file, once it may."""

    errors: ClassVar[list[Exception]] = []
    began, may_end = threading.Event(), threading.Event()

    def describe(self) -> dict[str, Any]:
        return PLACE

    @classmethod
    def fetch(cls, document: dict[str, Any], folder: Path, access: Access) -> None:
        cls.began.set()
        assert cls.may_end.wait(20)
        if cls.errors:
            raise cls.errors.pop(0)
        (folder / "flows").mkdir()
        (folder / "flows/empty.py").touch()


class Server:
    """Takes reports, and takes back what can't be obtained."""

    def __init__(self) -> None:
        self.exited: list[Exited] = []
        self.lines: list[str] = []
        self.gone: list[str] = []
        self.told = threading.Semaphore(0)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/code-gone"):
            self.gone.append(json.loads(request.content)["reason"])
            self.told.release()
            return httpx2.Response(200, content=msgspec.json.encode(TakenBack(taken_back=True)))
        report = msgspec.json.decode(request.content, type=AgentReport)
        self.lines += [line.message for line in report.logs]
        self.exited += report.exited
        for _ in report.exited:
            self.told.release()
        return httpx2.Response(200, content=msgspec.json.encode(AgentReported()))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def agent(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessAgent]:
    monkeypatch.setitem(loading.FETCHED, "slow", Slow)
    monkeypatch.setattr(storages, "KINDS", {**storages.KINDS, "slow": SlowCode})
    Slow.errors.clear()
    Slow.began.clear()
    Slow.may_end.clear()
    http = httpx2.Client(transport=httpx2.MockTransport(server), base_url="http://appliance.test")
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nprint(os.getcwd())\nprint(json.load(os.fdopen(int(sys.argv[-1])))['APPLIANCE_RUN_CODE_DIR'])\nsys.exit(3)\n"
    )
    program.chmod(0o700)
    transport = Transport("http://appliance.test", "t", http)
    agent = ProcessAgent(
        transport, name="a", state_dir=tmp_path / "state", roots=ANYWHERE, warm=False, python=str(program)
    )
    agent.open()
    agent.on_enrol(Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10))
    yield agent
    Slow.may_end.set()
    agent.close()


def work() -> Work:
    return Work(
        flow_run_id=uuid4(), attempt=1, run_token="t", name="run", flow="f", project="p", storage=PLACE, run_config={}
    )


def held(run: Work) -> Held:
    return Held(flow_run_id=run.flow_run_id, attempt=run.attempt)


def test_the_loop_goes_on_and_the_attempt_is_held_until_its_process_starts(
    agent: ProcessAgent, server: Server, tmp_path: Path
) -> None:
    run = work()
    agent.start(run)
    assert Slow.began.wait(10)
    assert agent.holding() == [held(run)]
    Slow.may_end.set()
    assert server.told.acquire(timeout=20)
    assert [exited.code for exited in server.exited] == [3]
    (folder,) = [path for path in (tmp_path / "state/code").iterdir() if path.is_dir()]
    assert server.exited[0].tail == [str(folder / "flows"), str(folder)]


def test_a_stop_ends_the_waiting_at_once(agent: ProcessAgent, server: Server) -> None:
    run = work()
    agent.start(run)
    assert Slow.began.wait(10)
    agent.stop_run(run.flow_run_id, 1, "Cancelled by test.")
    agent.stop_run(run.flow_run_id, 1, "Cancelled by test.")
    assert agent.holding() == []
    assert server.told.acquire(timeout=10)
    Slow.may_end.set()
    agent.changed.clear()
    assert agent.changed.wait(10)  # the thread has come to its end
    assert [(exited.code, exited.reason) for exited in server.exited] == [(None, "Cancelled by test.")]


def test_what_can_not_be_fetched_is_told(agent: ProcessAgent, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "delays", lambda *_: iter([0.0] * 9))
    Slow.may_end.set()
    Slow.errors += [Unreachable("The shelf can't be reached."), CodeMissing("It is gone.")]
    agent.start(work())
    assert server.told.acquire(timeout=10)
    assert (server.gone, server.lines) == (["It is gone."], ["The shelf can't be reached. It is tried again."])
    for error, reason in (
        (LoadError("It can't work."), "It can't work."),
        (ZeroDivisionError("oops"), "The agent could not start it: ZeroDivisionError: oops"),
    ):
        Slow.errors.append(error)
        agent.start(work())
        assert server.told.acquire(timeout=10)
        assert server.exited[-1].reason == reason


def test_a_place_that_stays_away_counts_as_gone(
    agent: ProcessAgent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PATIENCE", -1.0)
    Slow.may_end.set()
    Slow.errors.append(Unreachable("The shelf can't be reached."))
    agent.start(work())
    assert server.told.acquire(timeout=10)
    assert server.gone == ["The shelf can't be reached."]
