"""The Docker agent without an engine: what it does when the engine is away, slow, or has the container already, and what its command says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import httpx2
import msgspec
import pytest

from appliance.agents import detached
from appliance.agents.agent import Lacking, StartFailed
from appliance.agents.attempts import AttemptRecord, AttemptStore
from appliance.agents.container_rules import ContainerRules
from appliance.agents.detached import AlreadyRunning
from appliance.agents.docker import DockerAgent
from appliance.cli.root import invoke
from appliance.client.transport import Transport
from appliance.packaging import docker_engine
from appliance.packaging.docker_engine import Engine, EngineAway, EngineRefused
from appliance.protocol.agents import (
    AgentReport,
    AgentReported,
    CodeGone,
    Enrolled,
    Exited,
    Held,
    InfrastructureLog,
    TakenBack,
    Work,
)

AWAY = EngineAway("The Docker engine can't be reached: Connection refused.")
REPOSITORY = {
    "type": "git",
    "url": "file:///srv/shop.git",
    "commit": "0" * 40,
    "path": "f.py",
    "flow": "f",
    "sha256": "0" * 64,
}
NEVER = "0001-01-01T00:00:00Z"


class FakeEngine(Engine):
    """Containers that only start, unless `problems` has an error for a call. `end` ends one."""

    def __init__(self) -> None:
        self.problems: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.known: dict[str, dict[str, Any]] = {}
        self.asked = threading.Condition()
        self.pulls: list[str] = []
        self.images = {"etl:3"}
        self.measured: dict[str, Any] = {}

    def _note(self, call: str) -> None:
        with self.asked:
            self.calls.append(call)
            self.asked.notify_all()
        if call in self.problems:
            raise self.problems[call]

    def until(self, condition: Callable[[], bool]) -> None:
        with self.asked:
            assert self.asked.wait_for(condition, 10), self.calls

    def check(self) -> str:
        self._note("check")
        return "1"

    def has_image(self, name: str) -> bool:
        self._note("has_image")
        return name in self.images

    def image(self, name: str) -> dict[str, Any] | None:
        self._note("image")
        return {"Id": f"sha256:{'1' * 64}"} if name in self.images else None

    def pull(self, name: str, wanted: Callable[[], bool], seconds: float = 0) -> None:
        self._note("pull")
        self.pulls.append(name)

    def create(self, name: str, config: Mapping[str, Any], host: Mapping[str, Any], networks: list[str]) -> str:
        self._note("create")
        if name in self.known:
            raise EngineRefused("The container name is in use.", 409)
        self.known[name] = {
            "Id": name,
            "Labels": config["labels"],
            "State": {"Status": "created", "StartedAt": NEVER, "ExitCode": 0},
            "Config": {"Image": config["image"]},
            "HostConfig": {},
            "Path": "python3",
        }
        return name

    def put(self, container: str, folder: str, archive: bytes) -> None:
        self._note("put")

    def start(self, container: str) -> None:
        self._note("start")
        self.known[container]["State"] |= {"Status": "running", "StartedAt": "now"}

    def stop(self, container: str, grace: float) -> None:
        self._note("stop")
        self.end(container, 143)

    def end(self, container: str, code: int) -> None:
        self.known[container]["State"] |= {"Status": "exited", "ExitCode": code}

    def look(self, container: str) -> dict[str, Any] | None:
        self._note("look")
        return self.known.get(container)

    def containers(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        return [one for one in self.known.values() if labels.items() <= one["Labels"].items()]

    def output(self, container: str, lines: int) -> bytes:
        return b"last words\n"

    def copy(self, container: str, path: str, target: Path) -> None: ...

    def stats(self, container: str) -> dict[str, Any]:
        self._note("stats")
        return self.measured

    def remove(self, container: str) -> None:
        self._note("remove")
        self.known.pop(container, None)

    def ends(self, labels: Mapping[str, str]) -> Any:
        self._note("ends")
        return _Silence()


class _Silence:
    def __init__(self) -> None:
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._closed.wait(10)
        return iter(())

    def close(self) -> None:
        self._closed.set()


class Server:
    """Takes reports, and takes back every run."""

    def __init__(self) -> None:
        self.exited: list[Exited] = []
        self.logs: list[InfrastructureLog] = []
        self.given_back: list[str] = []
        self.told = threading.Semaphore(0)
        self.stale: list[Held] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("code-gone"):
            self.given_back.append(msgspec.json.decode(request.content, type=CodeGone).reason)
            self.told.release()
            return httpx2.Response(200, content=msgspec.json.encode(TakenBack(taken_back=True)))
        report = msgspec.json.decode(request.content, type=AgentReport)
        self.logs += report.logs
        for exited in report.exited:
            self.exited.append(exited)
            self.told.release()
        return httpx2.Response(200, content=msgspec.json.encode(AgentReported(stale=self.stale)))

    def end(self) -> Exited:
        assert self.told.acquire(timeout=10)
        return self.exited[-1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def agent_at(folder: Path, server: Server, engine: Engine, **rules: Any) -> DockerAgent:
    http = httpx2.Client(transport=httpx2.MockTransport(server), base_url="http://appliance.test")
    transport = Transport("http://appliance.test", "t", http)
    return DockerAgent(
        transport, name="dock", state_dir=folder, engine=engine, rules=ContainerRules(image="etl:3", **rules)
    )


@pytest.fixture
def agent(tmp_path: Path, server: Server, engine: FakeEngine) -> Iterator[DockerAgent]:
    agent = agent_at(tmp_path, server, engine)
    agent.open()
    enrol(agent)
    yield agent
    agent.close()


def enrol(agent: DockerAgent) -> None:
    agent.on_enrol(Enrolled(agent_id=uuid4(), heartbeat_interval=10, cancel_grace=10))


def work(run_config: dict[str, Any] | None = None, **more: Any) -> Work:
    place = {"type": "module", "module": "shop", "flow": "f", "sha256": "0" * 64, "distribution": "s", "version": "1"}
    known = {"flow_run_id": uuid4(), "attempt": 1, "run_token": "t", "name": "run", "flow": "f", "project": "p"}
    return Work(**{**known, "storage": place, "run_config": run_config or {}, **more})


def name(run: Work) -> str:
    return f"appliance-{run.flow_run_id}-1"


def test_a_run_is_held_from_its_claim_to_its_end_and_its_container_goes_when_the_end_is_known(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    run = work()
    agent.start(run)
    assert [held.flow_run_id for held in agent.holding()] == [run.flow_run_id]
    engine.until(lambda: "start" in engine.calls and engine.known[name(run)]["State"]["Status"] == "running")
    agent.changed.clear()
    engine.end(name(run), 3)
    agent._watch._news.put(name(run))
    end = server.end()
    assert (end.code, end.reason) == (3, "The run's container ended with exit code 3.")
    assert [line.message for line in server.logs] == [f"{end.reason}\nThe last lines of its output:\nlast words"]
    engine.until(lambda: "remove" in engine.calls)
    assert agent.changed.wait(10)
    assert agent.holding() == []


def test_a_container_that_is_killed_soon_after_its_start_has_been_measured(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    engine.measured = {"cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}}, "memory_stats": {"usage": 96}}
    run = work()
    agent.start(run)
    engine.until(lambda: engine.calls.count("stats") > 1)
    engine.end(name(run), 137)
    agent._watch._news.put(name(run))
    end = server.end()
    assert (end.cpu_seconds, end.peak_memory) == (2.5, 96)


def test_a_second_container_of_an_attempt_is_not_started_and_the_run_is_not_failed(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    engine.problems["create"] = EngineRefused("The container name is in use.", 409)
    agent.start(work())
    assert agent.changed.wait(10)
    assert agent.holding() == [] and server.exited == []
    assert "start" not in engine.calls


def test_while_the_engine_is_away_the_agent_asks_for_no_runs_and_says_why(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    assert agent.can_start()
    engine.problems.update(has_image=AWAY, check=AWAY)
    run = work()
    agent.start(run)
    assert agent.changed.wait(10)
    assert server.exited == [] and agent.holding() == [], "the server gives it to an agent again"
    assert not agent._attempts.directory(run.flow_run_id, 1).exists()
    agent._watch._news.put(None)
    engine.until(lambda: agent._watch.problem != "")
    assert not agent.can_start()
    assert agent.problems == [str(AWAY)]
    engine.problems.clear()
    agent._watch._try()
    assert agent.can_start() and agent.problems == []


def test_events_are_asked_for_again_once_the_engine_is_back_since_nothing_may_come_by_the_old_connection(
    agent: DockerAgent, engine: FakeEngine
) -> None:
    engine.until(lambda: "ends" in engine.calls)
    engine.problems["check"] = AWAY  # it was cut off without a word, so the old connection does not end
    agent._watch._news.put(None)
    engine.until(lambda: agent._watch.problem != "")
    engine.problems.clear()
    agent._watch._news.put(None)
    engine.until(lambda: engine.calls.count("ends") == 2)


def test_an_end_is_kept_until_the_engine_tells_it(agent: DockerAgent, engine: FakeEngine, server: Server) -> None:
    run = work()
    agent.start(run)
    engine.until(lambda: "look" in engine.calls)
    engine.end(name(run), 0)
    engine.problems["look"] = AWAY
    seen = len(engine.calls)
    agent._watch._news.put(None)
    engine.until(lambda: "look" in engine.calls[seen:])
    assert len(agent.holding()) == 1 and server.exited == []
    engine.problems.clear()
    agent._watch._news.put(None)
    assert server.end().code == 0


@pytest.mark.parametrize(
    "problem",
    [EngineRefused("The network inner is gone.", 404), EngineRefused("The network inner is gone.", 500), AWAY],
    ids=["for good", "for too long", "away for too long"],
)
def test_a_failed_start_is_reported_and_leaves_no_container(
    agent: DockerAgent, engine: FakeEngine, server: Server, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "PATIENCE", 0.0)
    agent._start_timeout = 0.0
    engine.problems["start"] = problem
    agent.start(work())
    sentence = "did not start the run's container"
    assert (f"{sentence}." if problem is AWAY else f"{sentence}: The network inner is gone.") in server.end().reason
    engine.until(lambda: "remove" in engine.calls)
    assert engine.known == {}


ILL = EngineRefused("No space left on device.", 500)


@pytest.mark.parametrize(
    ("call", "problem"), [("has_image", ILL), ("create", ILL), ("start", ILL), ("start", AWAY)], ids=str
)
def test_an_engine_that_is_unwell_for_a_while_fails_no_run(
    agent: DockerAgent, engine: FakeEngine, server: Server, call: str, problem: Exception
) -> None:
    engine.problems[call] = problem
    agent.start(work())
    engine.until(lambda: engine.calls.count(call) == 2)
    assert len(agent.holding()) == 1
    engine.problems.clear()
    engine.until(lambda: any(one["State"]["Status"] == "running" for one in engine.known.values()))
    assert server.exited == []
    told = "The Docker engine does not create the run's container: No space left on device. It is tried again."
    assert [(line.level, line.message) for line in server.logs] == ([] if call == "start" else [("WARNING", told)])


def test_an_engine_that_stays_unwell_gets_the_run_paused_and_starts_nothing_twice(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    start = engine.start

    def lose_the_answer(container: str) -> None:
        start(container)
        raise ILL

    engine.start = lose_the_answer  # type: ignore[method-assign]
    agent.start(run := work())
    seen = len(engine.calls)
    engine.until(lambda: engine.calls[seen:].count("look") >= 2)
    assert engine.calls.count("start") == 1 and server.exited == []
    agent._start_timeout = 0.0
    engine.problems["create"] = ILL
    agent.changed.clear()
    agent.start(work())
    assert agent.changed.wait(10)
    assert server.given_back == [
        "The Docker engine does not create the run's container: No space left on device. It was tried for 0 s."
    ]
    assert [held.flow_run_id for held in agent.holding()] == [run.flow_run_id]


@pytest.mark.parametrize("is_own", [True, False], ids=["its own", "another agent's"])
def test_a_container_that_was_created_with_an_error_is_replaced_if_it_is_the_agents(
    agent: DockerAgent, engine: FakeEngine, server: Server, is_own: bool
) -> None:
    create, made = engine.create, []

    def fail_at_first(name: str, config: Mapping[str, Any], *more: Any) -> str:
        made.append(create(name, config, *more))
        if len(made) == 1:
            engine.known[name]["Labels"] = config["labels"] | ({} if is_own else {"appliance.agent": "other"})
            raise ILL
        return name

    engine.create = fail_at_first  # type: ignore[method-assign]
    agent.start(run := work())
    if is_own:
        engine.until(lambda: "start" in engine.calls)
        assert (len(made), engine.calls.count("remove"), engine.calls.count("start")) == (2, 1, 1)
    else:
        assert agent.changed.wait(10)
        assert agent.holding() == [] and "remove" not in engine.calls and "start" not in engine.calls
    assert list(engine.known) == [name(run)] and server.exited == []


@pytest.mark.parametrize("problem", [AWAY, ILL], ids=["away", "unwell for too long"])
def test_a_container_whose_creation_was_not_answered_is_removed_once_the_engine_is_back(
    agent: DockerAgent, engine: FakeEngine, server: Server, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent._start_timeout = 0.0
    create = engine.create

    def lose_the_answer(*arguments: Any) -> str:
        create(*arguments)
        engine.problems["look"] = AWAY
        raise problem

    monkeypatch.setattr(engine, "create", lose_the_answer)
    agent.start(work())
    engine.until(lambda: engine.calls.count("look") == 2)
    assert len(engine.known) == 1
    engine.problems.clear()
    engine.until(lambda: "remove" in engine.calls)
    assert agent.changed.wait(10)
    assert engine.known == {} and agent.holding() == [] and server.exited == []
    assert len(server.given_back) == (problem is ILL)


def test_a_container_that_cannot_join_its_networks_is_removed() -> None:
    client = Mock()
    client.create_container.return_value = {"Id": "c1"}
    client.connect_container_to_network.side_effect = docker_engine.NotFound("network outer not found")
    engine = Engine()
    engine._opened = client
    with pytest.raises(EngineRefused, match="Network outer not found"):
        engine.create("run", {"image": "etl:3"}, {}, ["inner", "outer"])
    client.remove_container.assert_called_once_with("c1", v=True, force=True)


def test_a_stop_before_the_start_ends_the_run_without_a_container(
    agent: DockerAgent, engine: FakeEngine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(engine, "has_image", lambda _name: gate.wait(10))
    run = work()
    agent.start(run)
    agent.stop_run(run.flow_run_id, 1, "Cancelled by ann.")
    assert server.end().reason == "Cancelled by ann."
    gate.set()
    engine.until(lambda: "remove" in engine.calls)
    assert engine.known == {} and "start" not in engine.calls


def test_the_next_agent_drops_what_was_never_started_and_adopts_the_rest_even_without_records(
    tmp_path: Path, agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    going = work()
    agent.start(going)
    engine.until(lambda: "look" in engine.calls)
    agent.close()
    with pytest.raises(AlreadyRunning, match="Agent dock is running here already"):
        agent_at(tmp_path, server, engine).open()
    other = work()
    engine.create(name(other), {"image": "etl:3", "labels": labels(other)}, {}, [])
    heir = agent_at(tmp_path / "empty", server, engine)
    heir._attempts.create(other.flow_run_id, 1)  # it died before it had written more
    heir.open()
    enrol(heir)
    assert [held.flow_run_id for held in heir.holding()] == [going.flow_run_id]
    assert name(other) not in engine.known
    heir.stop_run(going.flow_run_id, 1, "Cancelled.")
    assert server.end().signal == "SIGTERM"
    heir.close()


def test_what_another_agent_of_its_name_is_about_to_start_is_left_alone(
    tmp_path: Path, agent: DockerAgent, engine: FakeEngine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, start = threading.Event(), engine.start

    def start_late(container: str) -> None:
        engine._note("asked to start")
        assert gate.wait(10)
        start(container)

    monkeypatch.setattr(engine, "start", start_late)
    agent.start(run := work())
    engine.until(lambda: "asked to start" in engine.calls)
    second = agent_at(tmp_path / "second", server, engine)
    second.open()
    enrol(second)
    assert second.holding() == []
    gate.set()
    engine.until(lambda: "start" in engine.calls)
    engine.end(name(run), 0)
    agent._watch._news.put(name(run))
    assert server.end().code == 0
    second.close()


@pytest.mark.parametrize("is_given_up", [True, False], ids=["given up", "too old"])
def test_what_nobody_can_be_about_to_start_is_removed_even_without_records(
    tmp_path: Path, engine: FakeEngine, server: Server, is_given_up: bool
) -> None:
    run = work()
    engine.create(name(run), {"image": "etl:3", "labels": labels(run)}, {}, [])
    heir = agent_at(tmp_path, server, engine)
    if is_given_up:
        server.stale = [Held(flow_run_id=run.flow_run_id, attempt=1)]
    else:
        heir._start_timeout = 0.0
    engine.problems["remove"] = AWAY
    heir.open()
    enrol(heir)
    assert heir.holding() == []
    engine.until(lambda: engine.calls.count("remove") == 2)
    engine.problems.clear()
    engine.until(lambda: not engine.known)
    heir.close()


def test_an_engine_that_is_away_when_the_agent_starts_is_asked_once_and_what_never_started_is_dropped_later(
    tmp_path: Path, engine: FakeEngine, server: Server
) -> None:
    runs, attempts = [work() for _ in range(8)], AttemptStore(tmp_path)
    for run in runs:
        engine.create(name(run), {"image": "etl:3", "labels": labels(run)}, {}, [])
        record = AttemptRecord(flow_run_id=run.flow_run_id, attempt=1, pid=0, identity=name(run))
        attempts.save(attempts.create(run.flow_run_id, 1), record)
    engine.start(name(runs[2]))
    failed = attempts.create(uuid4(), 1)  # its start had failed, and the disk was full
    attempts.save(failed, AttemptRecord(flow_run_id=uuid4(), attempt=1, pid=0, identity=""))
    engine.problems["look"] = AWAY
    heir = agent_at(tmp_path, server, engine)
    heir.open()
    assert engine.calls.count("look") <= 3, "an engine that is silent takes a minute for each, in each thread"
    assert len(heir.holding()) == 8 and not failed.exists()
    engine.problems.clear()
    engine.until(lambda: list(engine.known) == [name(runs[2])])
    heir.close()


def test_a_container_that_could_not_be_removed_is_removed_once_the_engine_is_back(
    agent: DockerAgent, engine: FakeEngine, server: Server
) -> None:
    engine.problems["remove"] = AWAY
    for _ in range(2):
        agent.start(run := work())
        engine.until(lambda: engine.known[name(run)]["State"]["Status"] == "running")
        engine.end(name(run), 3)
        agent._watch._news.put(name(run))
        server.end()  # also the second: a removal that hangs holds up no report
    engine.until(lambda: engine.calls.count("remove") == 2)
    engine.problems.clear()
    engine.until(lambda: not engine.known)


def labels(run: Work) -> dict[str, str]:
    own = {"appliance.site": "http://appliance.test", "appliance.agent": "dock"}
    return own | {"appliance.run": str(run.flow_run_id), "appliance.attempt": "1"}


@pytest.mark.parametrize(
    ("run", "error", "sentence"),
    [
        (work(storage={"type": "local", "path": "/srv/f.py", "flow": "f"}), Lacking, "register the flow as a bundle"),
        (work(storage=REPOSITORY), Lacking, "from which this agent takes none"),
        (work({"type": "docker", "image": "other:1"}), Lacking, "does not allow image other:1"),
        (work({"type": "docker", "privileged": True}), StartFailed, "no field 'privileged'"),
        (work({"type": "process"}), StartFailed, "for another kind of agent"),
        (work({"env": {"LD_PRELOAD": "x"}}), StartFailed, "env can't set LD_PRELOAD"),
    ],
)
def test_what_the_server_sends_is_checked_again(
    agent: DockerAgent, run: Work, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        agent.start(run)
    assert agent.holding() == []
    assert not agent._attempts.directory(run.flow_run_id, 1).exists(), "it may come back for another try"


def test_images_are_pulled_when_they_may_be_and_never_hang(tmp_path: Path, engine: FakeEngine, server: Server) -> None:
    agent = agent_at(tmp_path, server, engine, images=("*",), pull="never")
    agent.open()
    enrol(agent)
    agent.start(work({"type": "docker", "image": "other:1"}))
    assert server.told.acquire(timeout=10)
    assert engine.pulls == []
    agent.close()
    agent = agent_at(tmp_path / "other", server, engine, images=("*",))
    agent.open()
    enrol(agent)
    agent.start(work({"type": "docker", "image": "other:1"}))
    engine.until(lambda: "start" in engine.calls)
    assert engine.pulls == ["other:1"]
    agent.close()
    assert docker_engine.parts("host:5000/etl") == ("host:5000/etl", "latest")
    assert docker_engine.parts("host:5000/etl:3") == ("host:5000/etl", "3")
    assert docker_engine.parts("etl@sha256:00") == ("etl", "sha256:00")


@pytest.mark.parametrize(
    ("options", "settings", "sentence"),
    [
        ([], {}, "Containers don't reach the server at http://127.0.0.1:4200; say where they do"),
        (
            ["--network", "host"],
            {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
            "The Docker engine can't be reached: No such file or directory. Start it, or set DOCKER_HOST.",
        ),
        (
            ["--network", "host"],
            {"APPLIANCE_RESULTS_URL": "file:///srv/results"},
            "APPLIANCE_RESULTS_URL names a folder, which containers don't have",
        ),
        (["--env", "TZ"], {}, "'TZ' has no name and value"),
        (["--memory", "lots"], {}, "memory 'lots' is not valid"),
    ],
)
def test_what_keeps_the_agent_from_starting_is_said(
    options: list[str],
    settings: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("APPLIANCE_URL", "http://127.0.0.1:4200")
    if "DOCKER_HOST" not in settings:
        monkeypatch.setattr(docker_engine.Engine, "check", lambda _engine: None)
    for setting, value in settings.items():
        monkeypatch.setenv(setting, value)
    assert invoke(["agent", "start", "docker", "--image", "etl:3", *options]) in (1, 2)
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("appliance.cli.agent_docker.is_installed", lambda _module: False)
    assert invoke(["agent", "start", "docker", "--image", "etl:3"]) == 2
    assert "run: pip install 'appliance-flows[docker]'" in capsys.readouterr().err


IN_IMAGE = {
    "type": "docker",
    "image": "shop:0123",
    "id": f"sha256:{'1' * 64}",
    "folder": "/opt/appliance/flows",
    "path": "shop/f.py",
    "flow": "f",
    "sha256": "0" * 64,
}


def test_code_in_an_image_is_run_in_that_image_and_no_other(tmp_path: Path, server: Server, engine: FakeEngine) -> None:
    agent = agent_at(tmp_path, server, engine, images=("shop:*", "shop@*"))
    agent.open()
    enrol(agent)
    assert "docker" in (agent.storages or ())
    made: dict[str, Any] = {}
    create = engine.create
    engine.create = lambda name, config, *more: made.update(config) or create(name, config, *more)  # type: ignore[method-assign, func-returns-value]
    access: Any = None
    with pytest.raises(Lacking, match="Image shop:0123 is not on the machine of agent dock: bring it there with"):
        agent.prepare(work(storage=IN_IMAGE), access)
    engine.images = {"shop:0123", f"shop@sha256:{'2' * 64}"}
    with pytest.raises(Lacking, match="is not the one that was registered, at agent dock"):
        agent.prepare(work(storage=IN_IMAGE | {"id": f"sha256:{'3' * 64}"}), access)
    agent.prepare(work(storage=IN_IMAGE), access).close()
    assert made["image"] == IN_IMAGE["id"] and made["working_dir"] == "/opt/appliance/flows/shop"
    agent.prepare(work(storage=IN_IMAGE | {"digest": f"sha256:{'2' * 64}"}), access).close()
    assert made["image"] == f"shop@sha256:{'2' * 64}"
    agent.close()


def test_the_administrators_patterns_rule_the_images_of_flows(agent: DockerAgent) -> None:
    with pytest.raises(Lacking, match=r"does not allow image shop:0123 .*--allow-image 'shop:0123'"):
        agent.start(work(storage=IN_IMAGE))
    with pytest.raises(StartFailed, match="is in image shop:0123, and the run config names image etl:3"):
        agent.start(work({"type": "docker", "image": "etl:3"}, storage=IN_IMAGE))
