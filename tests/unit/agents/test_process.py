"""The process agent without a server: what it does when the disk takes nothing, and when a slot becomes free."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import msgspec
import pytest

from appliance.agents.agent import NotStarted, StartFailed
from appliance.agents.attempts import OUTPUT, AttemptRecord
from appliance.agents.cgroups import Cgroups, Ending
from appliance.agents.execute import Stopping
from appliance.agents.process import ProcessAgent
from appliance.agents.usage import Usage
from appliance.agents.watch import LiveProcess
from appliance.client.transport import Transport
from appliance.core import masking
from appliance.protocol.agents import AgentReport, AgentReported, Enrolled, Exited, Work
from tests.roots import ANYWHERE


class Ends:
    """A server that only takes ends of processes."""

    def __init__(self) -> None:
        self.exited: list[Exited] = []
        self.told = threading.Semaphore(0)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        for exited in msgspec.json.decode(request.content, type=AgentReport).exited:
            self.exited.append(exited)
            self.told.release()
        return httpx2.Response(200, content=msgspec.json.encode(AgentReported()))


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def agent(tmp_path: Path, ends: Ends) -> ProcessAgent:
    http = httpx2.Client(transport=httpx2.MockTransport(ends), base_url="http://appliance.test")
    transport = Transport("http://appliance.test", "t", http)
    return ProcessAgent(transport, name="a", state_dir=tmp_path, roots=ANYWHERE, warm=False, python="/bin/false")


def work(run_config: dict[str, Any] | None = None) -> Work:
    return Work(
        flow_run_id=uuid4(),
        attempt=1,
        run_token="t",
        name="run",
        flow="f",
        project="p",
        storage={},
        run_config=run_config or {},
    )


def full(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


def enrol(agent: ProcessAgent) -> None:
    agent.open()
    agent.on_enrol(Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10))


@pytest.mark.parametrize("write", ["save", "save_exit"])
def test_a_full_disk_neither_ends_the_agent_nor_hides_the_end_of_a_run(
    agent: ProcessAgent, ends: Ends, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    monkeypatch.setattr(agent._attempts, write, full)
    enrol(agent)
    agent.start(work())
    assert ends.told.acquire(timeout=10)
    agent.close()
    assert [exited.code for exited in ends.exited] == [1]


SHOW_ENVIRONMENT = f"""#!{sys.executable}
import json, os, sys
handed = json.load(os.fdopen(int(sys.argv[-1])))
for name, value in handed.items():
    print(f"{{name}}={{value}}")
print(open(handed["APPLIANCE_SECRET_KEY_FILE"]).read())
print("visible:", *(name for name in os.environ if name.startswith("APPLIANCE_")))
sys.exit(1)
"""


def test_secrets_reach_runs_and_nothing_that_the_agent_reports(
    agent: ProcessAgent, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_values", ())
    monkeypatch.setattr(masking, "_forms", ())
    program = tmp_path / "program"
    program.write_text(SHOW_ENVIRONMENT)
    program.chmod(0o700)
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.chdir(tmp_path)  # a run has a working directory of its own
    monkeypatch.setenv("APPLIANCE_SECRET_DOOR", "open sesame")
    monkeypatch.setenv("APPLIANCE_SECRET_KEY_FILE", "key")
    monkeypatch.setenv("APPLIANCE_SECRET_LONG_FILE", "x" * 5000)
    monkeypatch.setenv("APPLIANCE_ADMIN_PASSWORD", "of the appliance itself")
    monkeypatch.setattr(agent, "_python", str(program))
    enrol(agent)
    run = work()
    agent.start(run)
    assert ends.told.acquire(timeout=10)
    agent.close()
    output = (agent._attempts.directory(run.flow_run_id, 1) / OUTPUT).read_text()
    assert "APPLIANCE_SECRET_DOOR=open sesame\n" in output
    assert "from a file\n" in output
    assert "APPLIANCE_ADMIN_PASSWORD" not in output
    assert "visible:\n" in output  # in /proc/PID/environ
    tail = ends.exited[0].tail
    assert "APPLIANCE_SECRET_DOOR=***" in tail
    assert "***" in tail
    assert not any("sesame" in line or "from a file" in line for line in tail)


class Watched(Cgroups):
    """The kernel kills each attempt for lack of memory."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def add(self, record: AttemptRecord) -> None:
        self.calls.append(record.pid)

    def end(self, record: AttemptRecord, *, clean: bool) -> Ending:
        self.calls.append(clean)
        return Ending(Usage(1.5, 2**30), out_of_memory=True, own_limit=True)


def test_what_the_cgroup_of_an_attempt_saw_is_reported(
    agent: ProcessAgent, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho last words\nkill -KILL $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(agent, "_python", str(program))
    enrol(agent)
    agent._cgroups = seen = Watched()
    agent.start(work({"type": "process", "limits": {"memory": "1Gi"}}))
    assert ends.told.acquire(timeout=10)
    agent.close()
    [exited] = ends.exited
    assert (exited.signal, exited.cpu_seconds, exited.peak_memory) == ("SIGKILL", 1.5, 2**30)
    assert "more memory than their limit of 1,024 MiB (OOM)" in exited.reason
    assert "last words" in exited.tail
    assert len(seen.calls) == 2 and seen.calls[1] is False


def test_the_token_of_a_run_has_a_file_of_its_own_until_its_end_is_reported(
    agent: ProcessAgent, ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "gate")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nread line < {tmp_path / 'gate'}\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(agent, "_python", str(program))
    enrol(agent)
    run = work()
    agent.start(run)
    directory = agent._attempts.directory(run.flow_run_id, 1)
    assert (directory / "token").stat().st_mode & 0o777 == 0o600
    assert '"token":""' in (directory / "job.json").read_text()
    assert [record.token for _, record, _ in agent._attempts.load()] == ["t"]
    (tmp_path / "gate").write_text("go\n")
    assert ends.told.acquire(timeout=10)
    agent.close()
    assert not (directory / "token").exists()


def test_a_group_is_signalled_only_until_its_leader_is_reaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: signalled.append(pid))
    child = subprocess.Popen(["/bin/false"], start_new_session=True)
    record = AttemptRecord(flow_run_id=uuid4(), attempt=1, pid=child.pid, identity="", token="t")
    handle = os.pidfd_open(child.pid)
    own, adopted = LiveProcess(record, tmp_path, handle, child), LiveProcess(record, tmp_path, handle)
    assert own.reap().status == 1
    assert signalled == [child.pid]
    own.signal_all(signal.SIGTERM)
    adopted.signal_all(signal.SIGTERM)
    assert signalled == [child.pid]
    adopted.release()
    adopted.signal_all(signal.SIGTERM)  # a stop that was on its way when the handle was closed
    assert signalled == [child.pid]


def test_after_a_run_whose_directory_could_not_be_made_other_ends_are_reported(
    agent: ProcessAgent, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(agent)
    unlucky = work()
    with monkeypatch.context() as patch:
        patch.setattr(agent._attempts, "create", full)
        with pytest.raises(NotStarted, match="No space left"):
            agent.start(unlucky)
    agent.report_failed_start(unlucky, "No space left.")
    assert ends.told.acquire(timeout=10)
    agent.start(work())
    assert ends.told.acquire(timeout=10)
    agent.close()
    assert [(exited.reason, exited.code) for exited in ends.exited] == [("No space left.", None), ("", 1)]


@pytest.mark.parametrize(("number", "kind"), [(errno.EAGAIN, NotStarted), (errno.E2BIG, StartFailed)])
def test_a_run_that_its_machine_could_not_start_leaves_nothing_behind(
    agent: ProcessAgent, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refused(*_arguments: object, **_options: object) -> None:
        raise OSError(number, "No")

    unlucky = work()
    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(kind, match="process could not be started: No"):
        agent.start(unlucky)
    assert agent._attempts.directory(unlucky.flow_run_id, 1).exists() == (kind is StartFailed)
    agent.close()


def test_a_slot_counts_as_free_by_the_time_that_it_is_told(agent: ProcessAgent, ends: Ends) -> None:
    held_when_told: list[int] = []
    told = threading.Event()

    def note(tell: Callable[[], None]) -> Callable[[], None]:
        def both() -> None:
            held_when_told.append(len(agent.holding()))
            tell()
            told.set()

        return both

    agent._watcher._gone = note(agent._watcher._gone)
    enrol(agent)
    agent.start(work())
    assert told.wait(10)
    agent.close()
    assert held_when_told == [0]
    assert agent.changed.is_set()


def test_a_run_that_waits_to_begin_heeds_a_stop_at_once(tmp_path: Path) -> None:
    stopping = Stopping(tmp_path, is_in_pod=False)
    thread = threading.Thread(target=stopping.wait, args=(60.0,), daemon=True)
    thread.start()
    stopping.reason = "Cancelled."
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("run_config", "sentence"),
    [
        ({"env": [1]}, "The run config is not valid: Expected `object`, got `array`"),
        ({"env": {"A": 1}}, "The run config is not valid"),
        ({"working_dir": 5}, "The run config is not valid: Expected `str | null`, got `int`"),
        ({"working_dir": "/tmp\0"}, "working_dir contains a NUL character"),
        ({"python": "/bin/sh"}, "no field 'python'"),
        ({"type": "docker", "privileged": True}, "The run config is not valid"),
        ({"env": {"PYTHONWARNINGS": "x"}}, "env can't set PYTHONWARNINGS"),
        ({"env": {"TEAM": "x", "NODE_OPTIONS": "x"}}, "env can't set NODE_OPTIONS: for this agent, it can decide"),
    ],
)
def test_what_the_server_sends_is_checked_again(agent: ProcessAgent, run_config: dict[str, Any], sentence: str) -> None:
    enrol(agent)
    with pytest.raises(StartFailed, match=re.escape(sentence)):
        agent.start(work(run_config))
    agent.close()
