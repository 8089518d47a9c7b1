"""Why a run waits, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.agents import Provided
from appliance.schedules import describe
from appliance.server.domain.concurrency import Ledger, Limit
from appliance.server.domain.waiting import (
    ONLINE_FOR,
    AgentFacts,
    Holder,
    LimitFacts,
    RunFacts,
    Situation,
    agent_health,
    why,
)

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DOCKER, GIT = frozenset({"universal", "docker"}), frozenset({"local", "git"})

PAUSING = Provided(quarantined_until=NOW + timedelta(minutes=5))


def _agent(
    labels: str = "", running: int = 0, capacity: int = 2, state: str = "online", age: float = 0, **facts: Any
) -> AgentFacts:
    facts = {"name": "worker"} | facts
    return AgentFacts(frozenset(labels.split()), capacity, running, state, NOW - timedelta(seconds=age), **facts)


def _run(labels: str = "", **fields: Any) -> RunFacts:
    facts = {"state_type": "SCHEDULED", "state_name": "Scheduled", "scheduled_time": NOW} | fields
    return RunFacts(labels=frozenset(labels.split()), **facts)


@pytest.mark.parametrize(
    ("run", "agents", "reason"),
    [
        (_run(state_type="RUNNING"), [], None),
        (_run(state_type="SUCCESS"), [], None),
        (_run(state_type="PENDING"), [], "An agent has taken the run and is starting its process."),
        (_run(state_type="PAUSED"), [], "The run is paused until someone resumes it."),
        (
            _run(state_type="PAUSED", message="'load' waits for a person."),
            [],
            "'load' waits for a person. Resume it to continue.",
        ),
        (_run(flow_paused=True, scheduled_time=NOW + timedelta(hours=1)), [], "The flow is paused."),
        (_run(flow_paused=True, project_paused=True), [], "The flow's project is paused."),
        (_run(scheduled_time=NOW + timedelta(hours=1)), [], "Due at 2026-03-02 09:00:00 UTC."),
        (
            _run(state_name="AwaitingRetry", scheduled_time=NOW + timedelta(hours=1)),
            [],
            "A task failed and will be retried at 2026-03-02 09:00:00 UTC; the run continues then.",
        ),
        (
            _run(state_name="Paused", scheduled_time=NOW + timedelta(hours=1)),
            [],
            "The run is paused until 2026-03-02 09:00:00 UTC; resume it to continue sooner.",
        ),
        (_run(state_name="AwaitingRetry"), [], "No agent is online."),
        (_run(), [], "No agent is online."),
        (_run(), [_agent(age=ONLINE_FOR.total_seconds() + 1)], "No agent is online."),
        (
            _run(),
            [_agent(state="draining")],
            "No agent takes new runs: worker is drained. Resume it, or start another.",
        ),
        (
            _run(),
            [_agent(state="draining", name=name) for name in "abcd"],
            "No agent takes new runs: a, b, c and others are drained. Resume one, or start another.",
        ),
        (_run(), [_agent(state="draining", age=ONLINE_FOR.total_seconds() + 1)], "No agent is online."),
        (_run("gpu"), [_agent("cpu")], "No live agent has label gpu."),
        (_run("gpu big"), [_agent("cpu")], "No live agent has the labels big, gpu."),
        (
            _run("gpu big"),
            [_agent("gpu"), _agent("big", name="zoo")],
            "No live agent has all of the labels big, gpu; the closest, worker, lacks big.",
        ),
        (
            _run("gpu big etl"),
            [_agent("etl"), _agent("etl big", name="large")],
            "No live agent has label gpu; the closest, large, lacks gpu.",
        ),
        (_run(kind="docker"), [], "No live agent starts Docker runs."),
        (_run(kind="docker"), [_agent()], "No live agent starts Docker runs."),
        (_run(kind="kubernetes"), [_agent(kinds=DOCKER)], "No live agent starts Kubernetes runs."),
        (
            _run(kind="docker"),
            [_agent(), _agent(kinds=DOCKER, state="draining", name="edge")],
            "The only agent that would take the run, edge, is drained: resume it, or start another.",
        ),
        (
            _run(kind="docker"),
            [_agent(kinds=DOCKER, state="draining", name="edge")],
            "The only agent that would take the run, edge, is drained: resume it, or start another.",
        ),
        (
            _run("gpu"),
            [_agent(), *(_agent("gpu", state="draining", name=name) for name in "dcba")],
            "The agents that would take the run, a, b, c and others, are drained: resume one, or start another.",
        ),
        (
            _run(project_id=UUID(int=1)),
            [_agent(projects=frozenset()), _agent(provided=PAUSING, name="edge")],
            "The only agent that would take the run, edge, pauses between tries, since starts keep failing there; `appliance get agents` says why.",
        ),
        (_run("gpu"), [_agent(), _agent("big", state="draining", name="edge")], "No live agent has label gpu."),
        (_run(kind="process"), [], "No agent is online."),
        (_run(kind="process"), [_agent()], "No live agent starts runs as processes."),
        (_run(kind="docker"), [_agent(), _agent(kinds=DOCKER)], "An agent will take the run in a moment."),
        (_run("gpu", kind="docker"), [_agent("gpu"), _agent(kinds=DOCKER)], "No live agent has label gpu."),
        (_run(storage="git"), [_agent()], "No live agent that could start the run knows storage 'git'."),
        (
            _run(storage="git", kind="docker"),
            [_agent(storages=GIT), _agent(kinds=DOCKER)],
            "No live agent that could start the run knows storage 'git'.",
        ),
        (_run(storage="git"), [_agent(), _agent(storages=GIT)], "An agent will take the run in a moment."),
        (_run(), [_agent(running=2), _agent(running=3)], "All agents are full."),
        (_run("gpu"), [_agent("gpu", running=2), _agent()], "All agents with the run's labels are full."),
        (_run("gpu"), [_agent("gpu cpu")], "An agent will take the run in a moment."),
    ],
)
def test_wait_reason(run: RunFacts, agents: list[AgentFacts], reason: str | None) -> None:
    found = why(run, Situation(NOW, agents))
    assert (None if found is None else found.sentence) == reason


FLOW = UUID(int=7)
HELD = tuple(Holder(UUID(int=place), name) for place, name in enumerate("abcd"))
OLDER = Holder(UUID(int=9), "older")


@pytest.mark.parametrize(
    ("run", "limits", "code", "holders", "sentence"),
    [
        (
            _run(flow_archived=True),
            {},
            "flow_archived",
            (),
            "The flow is archived; take it out of the archive, or cancel the run.",
        ),
        (
            _run(schedule_id=FLOW),
            {},
            "overlap",
            (OLDER,),
            "Run older of the same schedule is still in progress, and its runs may not overlap.",
        ),
        (
            _run("etl x"),
            {("label", "etl"): LimitFacts(3, HELD[:3]), ("label", "x"): LimitFacts(9, HELD)},
            "limit",
            HELD[:3],
            "The limit of label etl is reached: 3 of 3 in use, by a, b, c.",
        ),
        (
            _run(),
            {("flow", str(FLOW)): LimitFacts(2, HELD)},
            "limit",
            HELD,
            "The limit of flow daily is reached: 4 of 2 in use, by a, b, c and 1 more.",
        ),
        (
            _run(),
            {("flow", str(FLOW)): LimitFacts(0, ())},
            "limit",
            (),
            "The limit of flow daily is 0, so nothing starts; raise it to continue.",
        ),
        (_run("etl"), {("label", "etl"): LimitFacts(3, HELD[:2])}, "no_agent", (), "No agent is online."),
    ],
)
def test_what_holds_a_run_back(
    run: RunFacts, limits: Any, code: str, holders: tuple[Holder, ...], sentence: str
) -> None:
    found = why(replace(run, flow_id=FLOW, flow="daily"), Situation(NOW, [], limits, {FLOW: OLDER}))
    assert found is not None
    assert (found.code, found.holders, found.sentence) == (code, holders, sentence)


def test_a_run_that_came_due_in_an_outage_is_held() -> None:
    until = NOW - timedelta(minutes=1)
    for late, code in ((timedelta(minutes=2), "held"), (timedelta(minutes=1), "held"), (timedelta(0), "no_agent")):
        found = why(_run(scheduled_time=NOW - late), Situation(NOW, held_until=until))
        assert found is not None and found.code == code


def test_a_planned_run_waits_for_its_policy_before_anything_else_counts() -> None:
    @dataclass(frozen=True)
    class Outage:
        after: datetime
        until: datetime

    situation = Situation(NOW, held_until=NOW, outage=Outage(NOW - timedelta(hours=2), NOW - timedelta(hours=1)))
    for hours, code in ((0.5, "held"), (1, "catch_up"), (1.5, "catch_up"), (2, "held")):
        due = NOW - timedelta(hours=hours)
        found = why(_run(scheduled_time=due, planned_for=due), situation)
        assert found is not None and found.code == code
        found = why(_run(scheduled_time=due), situation)
        assert found is not None and found.code == "held"


def test_a_ledger_counts_what_is_live_and_what_it_gives_out() -> None:
    other = UUID(int=8)
    limits = [Limit("flow", str(FLOW), 2), Limit("label", "etl", 2), Limit("task_tag", "etl", 0)]
    ledger = Ledger(limits, [(FLOW, ["etl", "etl"]), (other, [])])
    assert ledger.take(other, []) and ledger.take(FLOW, ["etl"])
    assert not ledger.take(FLOW, []) and not ledger.take(other, ["etl"]) and ledger.take(other, ["else"])
    assert ledger.exhausted("flow") == [str(FLOW)] and ledger.exhausted("label") == ["etl"]


def test_health() -> None:
    assert agent_health("draining", NOW, NOW, None) == "draining"
    assert agent_health("online", NOW - ONLINE_FOR - timedelta(seconds=1), NOW, None) == "offline"
    soon, past = (Provided(quarantined_until=NOW + timedelta(seconds=seconds)) for seconds in (1, 0))
    assert [agent_health("online", NOW, NOW, provided) for provided in (soon, past)] == ["quarantined", "online"]
    assert agent_health("draining", NOW, NOW, soon) == "draining"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "interval", "seconds": 60}, "Every minute"),
        ({"kind": "interval", "seconds": 7200}, "Every 2 hours"),
        ({"kind": "interval", "seconds": 1.5}, "Every 1.5 seconds"),
        ({"kind": "cron", "cron": "* * * * *"}, "Every minute"),
        ({"kind": "cron", "cron": "nonsense"}, "nonsense"),
    ],
)
def test_schedules_in_words(document: dict[str, Any], words: str) -> None:
    assert describe(document, with_zone=False) == words


@dataclass(frozen=True)
class _Maintenance:
    until: datetime | None = None
    reason: str = ""


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (_Maintenance(), "The appliance is in maintenance; no run starts until it ends."),
        (
            _Maintenance(NOW + timedelta(hours=1), "new disks"),
            "The appliance is in maintenance (new disks); no run starts until 2026-03-02 09:00:00 UTC.",
        ),
    ],
)
def test_maintenance_holds_back_what_is_due(facts: _Maintenance, sentence: str) -> None:
    situation = Situation(NOW, [_agent()], maintenance=facts, held_until=NOW)
    found = why(_run(), situation)
    assert found is not None and (found.code, found.sentence) == ("maintenance", sentence)
    later = why(_run(scheduled_time=NOW + timedelta(hours=1)), situation)
    assert later is not None and later.code == "not_due"


def test_a_run_waits_for_an_agent_that_can_read_its_results() -> None:
    north = replace(_agent(), name="north", places=("folder:1",))
    south = replace(_agent(), name="south", places=("folder:2",))
    run = _run(results_at="folder:1")
    assert why(run, Situation(NOW, [north, south])) == why(_run(), Situation(NOW, [north]))
    away = why(run, Situation(NOW, [replace(north, state="signed_off"), south]))
    assert away is not None and away.code == "no_results"
    assert "only agent north can read, which does not take it now. Start agent north again" in away.sentence
    gone = why(run, Situation(NOW, [south]))
    assert gone is not None and "no agent that is known can read" in gone.sentence
    full = why(run, Situation(NOW, [replace(north, running=2), south]))
    assert full is not None and full.code == "agents_full"
