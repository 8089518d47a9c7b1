"""The agent's loop against scripted answers: what it claims, starts, stops, and when it gives up."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest

from appliance.agents.agent import STOPPING_PAUSE, Agent, StartFailed
from appliance.agents.roots import Roots
from appliance.client import connection
from appliance.client.transport import Transport
from appliance.kit import added_folders
from appliance.protocol.agents import Claim, Claimed, Enrolled, Held, Stop, Work
from appliance.protocol.errors import ErrorAnswer


class Recorder(Agent):
    """Starts nothing, notes everything."""

    kind = "process"

    def __init__(self, transport: Transport, capacity: int = 2) -> None:
        super().__init__(transport, name="a", labels=["x"], capacity=capacity)
        self.notes: list[Any] = []
        self.held: list[Held] = []

    def open(self) -> None:
        self.notes.append("open")

    def on_enrol(self, answer: Enrolled) -> None:
        self.notes.append("enrolled")

    def close(self) -> None:
        self.notes.append("close")

    def holding(self) -> list[Held]:
        return self.held

    def start(self, work: Work) -> None:
        if work.name == "bad":
            raise StartFailed("No such directory.")
        if work.name == "worse":
            raise TypeError("nobody expected this")
        self.notes.append(work.name)
        self.held.append(Held(flow_run_id=work.flow_run_id, attempt=work.attempt))

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        self.notes.append(reason)
        self.changed.set()

    def report_failed_start(self, work: Work, reason: str) -> None:
        self.notes.append(reason)


def work(name: str) -> Work:
    return Work(
        flow_run_id=uuid4(), attempt=1, run_token="t", name=name, flow="f", project="p", storage={}, run_config={}
    )


class Script:
    """Answers claims in order and sets `stop` with the last one."""

    def __init__(self, *answers: Claimed | httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.claims: list[Claim] = []
        self.enrolments = 0
        self.stop = threading.Event()
        self.introductions: list[dict[str, Any]] = []
        self.unknown: tuple[str, ...] = ()
        self.refuse: httpx2.Response | None = None
        self.after: Callable[[], None] = lambda: None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/agents"):
            self.enrolments += 1
            self.introductions.append(msgspec.json.decode(request.content))
            if self.refuse is not None:
                return self.refuse
            if any(field in self.introductions[-1] for field in self.unknown):
                return refused(422, "invalid")
            answer: Any = Enrolled(agent_id=uuid4(), revision=4, heartbeat_interval=10, cancel_grace=10)
            return httpx2.Response(200, content=msgspec.json.encode(answer))
        self.claims.append(msgspec.json.decode(request.content, type=Claim))
        answer = self.answers.pop(0)
        self.after()
        if not self.answers:
            self.stop.set()
        if isinstance(answer, Exception):
            raise answer
        return (
            answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, content=msgspec.json.encode(answer))
        )


def recorder(script: Script, capacity: int = 2, kind: type[Recorder] = Recorder) -> Recorder:
    http = httpx2.Client(transport=httpx2.MockTransport(script), base_url="http://appliance.test")
    return kind(Transport("http://appliance.test", "t", http), capacity)


def run(
    script: Script, capacity: int = 2, roots: Roots | None = None, projects: list[str] | None = None
) -> tuple[int, Recorder]:
    agent = recorder(script, capacity)
    agent.roots, agent.projects = roots, projects or []
    return agent.run(script.stop), agent


def refused(status: int, code: str) -> httpx2.Response:
    return httpx2.Response(status, content=msgspec.json.encode(ErrorAnswer(code=code, message="No.")))


def test_starts_work_and_claims_only_what_is_free() -> None:
    script = Script(Claimed(work=[work("one")]), Claimed(work=[work("two")]), Claimed(stop=[]))
    code, agent = run(script)
    assert code == 0
    assert agent.notes == ["open", "enrolled", "one", "two", "close"]
    assert [claim.free_slots for claim in script.claims] == [2, 1, 0]
    assert [len(claim.holding) for claim in script.claims] == [0, 1, 2]
    assert script.claims[2].wait_s == 0


def test_stops_what_the_server_names() -> None:
    stop = Stop(flow_run_id=uuid4(), attempt=1, reason="Cancelled.")
    _, agent = run(Script(Claimed(stop=[stop])))
    assert "Cancelled." in agent.notes


def test_a_failed_start_is_told_and_the_loop_goes_on() -> None:
    _, agent = run(Script(Claimed(work=[work("bad"), work("good")])))
    assert agent.notes[2:4] == ["No such directory.", "good"]


def test_a_run_of_another_project_is_not_started() -> None:
    """A server of the release before hands out runs of all projects."""
    _, agent = run(Script(Claimed(work=[work("one")]), Claimed()), projects=["q"])
    assert agent.notes[2:-1] == ["This agent takes no runs of project p."]


def test_no_run_ends_the_agent() -> None:
    code, agent = run(Script(Claimed(work=[work("worse"), work("good")])))
    assert code == 0
    assert agent.notes[2:4] == ["The agent could not start it: TypeError: nobody expected this", "good"]


def test_never_starts_more_than_it_has_room_for() -> None:
    script = Script(Claimed(work=[work(name) for name in ("one", "two", "three", "four")]), Claimed())
    _, agent = run(script)
    assert agent.notes[2:-1] == ["one", "two"]
    assert len(script.claims[1].holding) == 2


def test_an_outage_is_waited_for() -> None:
    script = Script(httpx2.ConnectError("down"), refused(503, "unavailable"), Claimed(work=[work("one")]))
    code, agent = run(script)
    assert code == 0
    assert "one" in agent.notes
    assert script.enrolments == 1


def test_each_kind_of_outage_is_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is back with a certificate that has expired is more than one that is away."""
    away, stranger, expired = httpx2.ConnectError("down"), httpx2.ConnectError(""), ssl.SSLCertVerificationError(1, "")
    stranger.__cause__, expired.verify_code = expired, 10
    script = Script(away, refused(503, "unavailable"), stranger, away, Claimed(), away, Claimed())
    agent = recorder(script)
    monkeypatch.setattr(connection, "opened", lambda _url: recorder(script)._transport._open)
    caplog.set_level("INFO", "appliance.agent")
    assert agent.run(script.stop) == 0
    lines = [line.partition(": ")[2] or line for line in caplog.messages[1:-1]]
    assert [line.split()[:4] for line in lines] == [
        ["The", "server", "at", "http://appliance.test"],
        ["No."],
        ["The", "server", "at", "http://appliance.test"],
        ["The", "server", "is", "back."],
        ["The", "server", "at", "http://appliance.test"],
        ["The", "server", "is", "back."],
    ]
    assert "(down)" in lines[0] and "has expired" in lines[2] and "(down)" in lines[4]


def test_a_forgotten_agent_enrols_again() -> None:
    script = Script(refused(404, "not_found"), Claimed())
    run(script)
    assert script.enrolments == 2
    assert [said["after"] for said in script.introductions] == [0, 4]  # what the server said to the first one


def test_an_agent_whose_roots_changed_enrols_again_before_its_next_claim(tmp_path: Path) -> None:
    script = Script(Claimed(), Claimed(), Claimed())
    script.after = lambda: added_folders.add(tmp_path, "/srv/flows")
    run(script, roots=Roots((), (), tmp_path))
    assert script.enrolments == 2
    assert len(script.claims) == 3


def test_an_agent_that_finds_a_problem_enrols_again_and_says_so() -> None:
    script = Script(Claimed(), Claimed(), Claimed())
    agent = recorder(script)
    script.after = lambda: setattr(agent, "problems", ["No place for results."])
    agent.run(script.stop)
    assert [said.get("problems") for said in script.introductions] == [None, ["No place for results."]]


def test_a_server_of_an_earlier_release_is_told_what_it_knows() -> None:
    script = Script(Claimed())
    script.unknown = ("storages",)
    assert run(script, projects=["finance"])[0] == 0
    assert [("after" in said, "storages" in said, said.get("projects")) for said in script.introductions] == [
        (True, True, ["finance"]),
        (False, True, ["finance"]),
        (False, False, ["finance"]),
    ]


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "forbidden")])
def test_a_token_that_is_not_accepted_ends_the_agent(status: int, code: str) -> None:
    script = Script()
    script.refuse = refused(status, code)
    assert run(script)[0] == 2


class NotedWaits(threading.Event):
    """Waits for nothing, and notes what it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


def test_runs_that_are_being_stopped_are_not_asked_about_without_a_pause() -> None:
    script = Script(Claimed(stop=[Stop(flow_run_id=uuid4(), attempt=1, reason="Cancelled.")]), Claimed())
    http = httpx2.Client(transport=httpx2.MockTransport(script), base_url="http://appliance.test")
    agent = Recorder(Transport("http://appliance.test", "t", http))
    agent.changed = waits = NotedWaits()
    assert agent.run(script.stop) == 0
    assert waits.waits == [STOPPING_PAUSE]


def test_a_server_that_hangs_does_not_hold_up_a_stop_and_its_late_work_is_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("appliance.agents.agent.STOP_SECONDS", 0.1)
    asked, answer, answered = threading.Event(), threading.Event(), threading.Event()

    def hang(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/agents"):
            enrolled = Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10)
            return httpx2.Response(200, content=msgspec.json.encode(enrolled))
        asked.set()
        answer.wait(10)
        return httpx2.Response(200, content=msgspec.json.encode(Claimed(work=[work("late")])))

    class Late(Recorder):
        def _run(self, stop: threading.Event) -> int:
            try:
                return super()._run(stop)
            finally:
                answered.set()

    http = httpx2.Client(transport=httpx2.MockTransport(hang), base_url="http://appliance.test")
    agent, stop = Late(Transport("http://appliance.test", "t", http)), threading.Event()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(agent.run(stop)), daemon=True)
    thread.start()
    assert asked.wait(10)
    stop.set()
    thread.join(5)
    in_time = list(codes)
    answer.set()
    assert answered.wait(10)
    assert in_time == [0]
    assert agent.notes == ["open", "enrolled", "close"]
