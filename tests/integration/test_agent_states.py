"""What people decide about agents: one that is drained gets no runs until it is resumed, and one that is forgotten is in no list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from appliance.config import Settings
from appliance.protocol.agents import Enrol, Provided
from appliance.protocol.tokens import CreateToken
from appliance.server.actions import agent_states, agents, concurrency, takers, tokens
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.api import views
from appliance.server.api.views import AgentView
from appliance.server.app import create_app
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import agents as reads
from appliance.server.db.session import Database
from appliance.server.domain.waiting import ONLINE_FOR, health_of
from appliance.server.errors import Conflict, Invalid, NotFound
from tests.integration.builders import (
    AGENT,
    begun,
    claim,
    create,
    enrol,
    flow,
    one,
    register,
    rows,
    send,
    waits,
)
from tests.integration.conftest import StoppedClock
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site, listening
from tests.integration.test_hosts import enrol as enrol_on
from tests.integration.test_hosts import register as register_on
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
ADMIN = Actor(kind="user", name="root", role="admin")


def health(db: Database, agent: UUID, clock: StoppedClock) -> str:
    with db.read() as session:
        row = reads.get(session, agent)
    assert row is not None
    return health_of(row, clock())


def names(db: Database) -> list[str]:
    with db.read() as session:
        return sorted(row.name for row in reads.every(session))


def test_a_drained_agent_gets_nothing_until_it_is_resumed(database: Database, clock: StoppedClock) -> None:
    agent = enrol(database)
    first = create(database, register(database).flow_id)
    assert len(claim(database, agent, 5)) == 1
    second = create(database, register(database).flow_id)
    for _ in range(2):
        agent_states.drain(database, ADMIN, agent)
    assert health(database, agent, clock) == "draining"
    assert claim(database, agent, 5) == []
    assert one(database, "select state_type from flow_run where id = :id", id=first)["state_type"] == "PENDING"
    reason = waits(database, second)
    assert reason is not None and reason.sentence == DRAINED
    agents.sign_off(database, AGENT, agent)
    assert health(database, agent, clock) == "offline"
    assert enrol(database) == agent, "the same agent comes back"
    assert health(database, agent, clock) == "draining"
    assert claim(database, agent, 5) == []
    for _ in range(2):
        agent_states.resume(database, ADMIN, agent)
    assert [work.flow_run_id for work in claim(database, agent, 5)] == [second]
    kinds = [row["kind"] for row in rows(database, "select kind from event where topic = 'agent' order by id")]
    assert kinds == ["agent.enrolled", "agent.drained", "agent.signed_off", "agent.enrolled", "agent.resumed"]


def test_only_an_offline_agent_without_runs_is_forgotten(database: Database, clock: StoppedClock) -> None:
    run, agent = begun(database)
    with pytest.raises(Conflict, match="Agent embedded is not offline; stop it first"):
        agent_states.forget(database, ADMIN, agent)
    agents.sign_off(database, AGENT, agent)
    with pytest.raises(Conflict, match="still has 1 run"):
        agent_states.forget(database, ADMIN, agent)
    send(database, run, 1, flow("SUCCESS", "Success"))
    for _ in range(2):
        agent_states.forget(database, ADMIN, agent)
    assert names(database) == []
    assert one(database, "select agent_id from flow_run")["agent_id"] is not None, "its run still says whose it was"
    for act in (agent_states.drain, agent_states.resume):
        with pytest.raises(NotFound, match="no such agent"):
            act(database, ADMIN, agent)
    with pytest.raises(NotFound, match="enrol it again"):
        claim(database, agent)
    assert enrol(database) == agent
    assert names(database) == ["embedded"]
    assert health(database, agent, clock) == "online"


def test_a_silent_agent_can_be_forgotten(database: Database, clock: StoppedClock) -> None:
    agent = enrol(database)
    clock.move(ONLINE_FOR.total_seconds() + 1)
    agent_states.forget(database, ADMIN, agent)
    assert names(database) == []


def test_an_agent_where_starts_fail_is_quarantined_for_a_while(database: Database, clock: StoppedClock) -> None:
    def enrolled(until: datetime | None) -> AgentView:
        said = Enrol(
            name="full", type="process", problems=["The disk is full."], provided=Provided(quarantined_until=until)
        )
        agent = agents.enrol(database, AGENT, said).agent_id
        with database.read() as session:
            [view] = views.agents(session, [agent_states.known(session, agent)], clock())
        return view

    view = enrolled(until := clock() + timedelta(seconds=30))
    assert (view.health, view.quarantined_until, view.problems) == ("quarantined", until, ["The disk is full."])
    run = create(database, register(database).flow_id)
    reason = waits(database, run)
    assert reason is not None and reason.sentence == (
        "No agent takes new runs: starts keep failing at full, which pauses between tries; `appliance get agents` says why."
    )
    assert [work.flow_run_id for work in claim(database, view.id)] == [run], "it decides itself when to try again"
    clock.move(30)
    assert health(database, view.id, clock) == "online"
    assert enrolled(clock() + timedelta(days=9)).quarantined_until == clock() + timedelta(hours=1)
    assert (enrolled(None).health, enrolled(None).quarantined_until) == ("online", None)
    with pytest.raises(Invalid, match="must have an offset"):
        enrolled(clock().replace(tzinfo=None))
    assert msgspec.convert({"of": "a later release"}, Provided) == Provided(), "a server of this one ignores it"


def test_no_run_waits_for_the_host_of_a_forgotten_agent(database: Database) -> None:
    here, there = enrol_on(database, "here", "a"), enrol_on(database, "there", "b")
    run = create(database, register_on(database, "a").flow_id)
    agents.sign_off(database, AGENT, here)
    assert claim(database, there, 5) == []
    agent_states.forget(database, ADMIN, here)
    assert [work.flow_run_id for work in claim(database, there, 5)] == [run]


def test_the_runs_of_an_agent(database: Database, clock: StoppedClock) -> None:
    agent, other = enrol(database, "gpu-1", labels=["gpu"], capacity=1), enrol(database, "cpu-1")
    mine = register(database, "mine", labels=["gpu"]).flow_id
    ended = [create(database, mine), create(database, mine)]
    for one_run in ended:
        clock.move(1)
        claim(database, agent, 1, labels=["gpu"])
        cancel_run(database, ADMIN, one_run)
        agents.report(database, AGENT, agent, exited(one_run))
    held = create(database, mine)
    assert len(claim(database, agent, 1, labels=["gpu"])) == 1
    clock.move(1)
    waiting = create(database, mine)
    clock.move(1)
    limited = create(database, register(database, "limited").flow_id)
    concurrency.put(database, ADMIN, "flow", "demo/limited", 0)
    create(database, register(database, "docker", labels=["docker"]).flow_id)
    agent_states.drain(database, ADMIN, agent)
    with database.read() as session:
        row, another = reads.get(session, agent), reads.get(session, other)
        assert row is not None and another is not None
        found, theirs = takers.runs_of(session, row, clock()), takers.runs_of(session, another, clock())
    assert [run.id for run in found.live] == [held]
    assert [run.id for run in found.waiting] == [waiting, limited]
    assert [run.id for run in found.ended] == ended[::-1]
    assert (theirs.live, [run.id for run in theirs.waiting], theirs.ended) == ([], [limited], [])


def exited(run: UUID) -> agents.AgentReport:
    return agents.AgentReport(exited=[agents.Exited(flow_run_id=run, attempt=1, code=0)])


AGENT_OF = """query($id: UUID!) { agent(id: $id) { name health draining running created
  heldRuns { flowRunId flowRunName project flow since } } agentRuns(agentId: $id) { live { name } waiting { waitReason } ended { name } } }"""
DRAINED = "No agent takes new runs: embedded is drained. Resume it, or start another."
MATCH = """query($labels: [String!], $project: String, $kind: String, $storage: String) {
  agentMatch(labels: $labels, project: $project, kind: $kind, storage: $storage) {
    taking code sentence total agents { name missing { code values sentence } } } }"""


def change(verb: str, answer: str = "agent { health draining }") -> str:
    return f"mutation($i: {verb[0].upper()}{verb[1:]}AgentInput!) {{ {verb}Agent(input: $i) {{ {answer} }} }}"


def test_all_doors_drain_resume_and_forget(
    site: Site, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    flow_run, agent = begun(site.database)
    create(site.database, register(site.database).flow_id)
    path, named = f"/api/v1/agents/{agent}", {"agentId": str(agent)}
    assert site.post(f"{path}/drain", None, "admin").json()["health"] == "draining"
    assert site.data(change("resume"), "admin", i=named)["resumeAgent"]["agent"] == {
        "health": "online",
        "draining": False,
    }
    assert run("agent", "drain", "embedded") == "Agent embedded gets no more runs; 1 run still to end.\n"
    assert site.data(change("drain"), "admin", i=named)["drainAgent"]["agent"]["draining"]
    found = site.data(AGENT_OF, id=str(agent))
    assert found["agent"]["draining"] and found["agent"]["running"] == 1
    assert found["agent"]["heldRuns"][0] | {"since": "", "flowRunName": ""} == {
        "flowRunId": str(flow_run), "flowRunName": "", "project": "demo", "flow": "etl", "since": "",
    }  # fmt: skip
    assert found["agentRuns"]["waiting"] == [{"waitReason": DRAINED}]
    told = msgspec.json.decode(run("agent", "runs", "embedded", "--json"))
    assert told == site.get(f"{path}/runs").json()
    assert [len(told[part]) for part in ("live", "waiting", "ended")] == [1, 1, 0]
    assert DRAINED in run("agent", "runs", str(agent))
    assert run("agent", "resume", "embedded") == "Agent embedded gets runs again.\n"
    assert site.get(path).json()["health"] == "online"
    assert "did you mean" in site.graphql(MATCH, kind="dokcer")["errors"][0]["message"]
    run("agent", "forget", "embedded", code=2)
    send(site.database, flow_run, 1, flow("SUCCESS", "Success"))
    agents.sign_off(site.database, AGENT, agent)
    assert run("agent", "forget", "embedded") == "Agent forgotten.\n"
    assert site.data(AGENT_OF, id=str(agent)) == {"agent": None, "agentRuns": None}
    assert site.get(path).status_code == 404
    assert site.data(change("forget", "agentId"), "admin", i=named)["forgetAgent"] == named


def test_all_doors_say_who_would_take_a_run(site: Site, run: Callable[..., str]) -> None:
    enrol(site.database, "north", labels=["gpu", "north"], storages=["local", "git"], projects=["ops"])
    enrol(site.database, "south", labels=["gpu"], storages=["local", "git"])
    for project in ("ops", "finance"):
        register(site.database, project=project)

    def ask(code: int = 0, **asked: str) -> dict[str, object]:
        labels = asked.pop("labels", "").split()
        found: dict[str, object] = site.data(MATCH, labels=labels, **asked)["agentMatch"]
        options = [part for label in labels for part in ("--label", label)]
        options += [part for name, value in asked.items() for part in (f"--{name}", value)]
        told = msgspec.json.decode(run("agent", "match", *options, "--json", code=code))
        query = "&".join(
            [*(f"label={label}" for label in labels), *(f"{name}={value}" for name, value in asked.items())]
        )
        assert told == site.get(f"/api/v1/agents/match?{query}").json()
        assert (told["taking"], told["sentence"]) == (found["taking"], found["sentence"])
        return found

    assert ask()["sentence"] == "2 agents would take the run, the first that asks."
    assert ask(labels="gpu", project="finance", storage="git")["sentence"] == "Agent south would take the run."
    none = ask(1, labels="gpu north", project="finance")
    assert none["sentence"] == "No live agent has label north; the closest, south, lacks north."
    assert (none["taking"], none["code"], none["total"]) == (0, "no_label", 2)
    assert [(one["name"], [part["code"] for part in one["missing"]]) for one in none["agents"]] == [  # type: ignore[attr-defined]
        ("north", ["project"]),
        ("south", ["label"]),
    ]
    assert "It lacks north; start it with --label north, too." in run(
        "agent", "match", "--label", "north", "--project", "finance", code=1
    )
    for wrong in ("project=opps", "storage=gti", "kind=dokcer"):
        answer = site.get(f"/api/v1/agents/match?{wrong}")
        assert answer.status_code == 422 and "did you mean" in answer.text


def test_a_full_agent_of_the_project_is_no_agent_of_other_projects(database: Database) -> None:
    agent = enrol(database, "narrow", projects=["ours"], capacity=1)
    ours = register(database, project="ours").flow_id
    create(database, ours)
    waiting = create(database, ours)
    assert len(claim(database, agent, 1)) == 1
    reason = waits(database, waiting)
    assert reason is not None and (reason.code, reason.sentence) == ("agents_full", "All agents are full.")


def test_an_agent_that_waits_for_work_gets_it_when_it_is_resumed(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = enrol(site.database)
    create(site.database, register(site.database).flow_id)
    agent_states.drain(site.database, ADMIN, agent)
    found_nothing, claim_due = threading.Event(), agents.claim_due

    def noted(*arguments: Any) -> agents.ClaimResult:
        result = claim_due(*arguments)
        found_nothing.set()
        return result

    monkeypatch.setattr(agents, "claim_due", noted)
    with listening(create_app(settings, site.database)) as url, ThreadPoolExecutor(1) as pool:
        headers, body = site.headers("agent"), {"free_slots": 1, "wait_s": 30}
        asking = pool.submit(httpx.post, f"{url}/api/v1/agents/{agent}/claim", json=body, headers=headers, timeout=60)
        assert found_nothing.wait(30)
        assert httpx.post(f"{url}/api/v1/agents/{agent}/resume", headers=site.headers("admin")).status_code == 200
        answer = asking.result(20)
    assert len(answer.json()["work"]) == 1
    assert answer.elapsed.total_seconds() < 20, "before the claim would have looked again"


def test_a_token_says_to_which_agent_it_belongs(site: Site) -> None:
    made = tokens.create(site.database, SYSTEM, CreateToken(name="edge", scope="agent", username="admin"))
    site.tokens["edge"] = made.token
    assert site.post("/api/v1/agents", {"name": "edge-01", "type": "process"}, "edge").status_code == 201
    known = {token["id"]: token["agent"] for token in site.get("/api/v1/tokens", "admin").json()["items"]}
    assert known[str(made.view.id)] == "edge-01"
    assert set(known.values()) == {"edge-01", None}
