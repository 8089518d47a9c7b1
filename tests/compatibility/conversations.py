"""What a run and an agent send to the server, through the client's own functions: one conversation per protocol."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from appliance.client import agents, artifacts, concurrency, errors, run_protocol
from appliance.client.transport import Transport, path
from appliance.core.states import Cached, Failed, Mapped, Retrying, Running, Skipped, State, Success, TriggerFailed
from appliance.engine.tracked import events
from appliance.protocol.agents import AgentReport, Claim, Enrol, Exited, Held, InfrastructureLog, Work
from appliance.protocol.artifacts import MakeArtifact
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun, FlowRunView, RestartFlowRun
from appliance.protocol.flows import Registered, Registration
from appliance.protocol.run_protocol import AskChild, AskSlots, AwaitChildren
from appliance.protocol.tokens import CreateToken, TokenCreated
from tests.compatibility.site import ADDRESS, ADMIN_TOKEN, Stage

AWAY = UUID("01959db0-0000-7000-8000-00000000beef")
DOCUMENT = {
    "name": "etl",
    "tasks": [
        {"slug": "extract-1", "name": "extract", "tags": ["db"], "mapped": False},
        {"slug": "load-1", "name": "load", "tags": [], "mapped": True},
    ],
    "edges": [{"upstream": "extract-1", "downstream": "load-1", "key": "rows", "mapped": True, "flattened": False}],
    "parameters": [{"name": "day", "required": False, "default": "today", "schema": {"type": "string"}}],
    "reference_tasks": ["load-1"],
    "schedules": [],
    "run_config": {"type": "universal", "env": {"MODE": "fast"}, "labels": ["etl"]},
    "sdk_version": "0.1.0",
}
STORAGE = {"type": "local", "path": "/flows/etl.py", "flow": "etl", "sha256": "1" * 64}


class Speaker:
    """Sends requests over one HTTP client, on behalf of several tokens."""

    def __init__(self, http: Any, stage: Stage) -> None:
        self.http, self.stage = http, stage
        self.admin = self.speak_as(ADMIN_TOKEN)

    def speak_as(self, token: str) -> Transport:
        return Transport(ADDRESS, token, self.http, tries=1)

    def register(self, **more: Any) -> Registered:
        document = DOCUMENT | more
        request = Registration(project="demo", name="etl", content_hash="a" * 64, document=document, storage=STORAGE)
        return self.admin.post(path("flows"), request, Registered)

    def create(self, key: str, **parameters: Any) -> FlowRunView:
        request = CreateFlowRun(project="demo", flow="etl", parameters=parameters, idempotency_key=key)
        return self.admin.post(path("flow-runs"), request, FlowRunView)

    def cancel(self, run: UUID) -> FlowRunView:
        request = ChangeFlowRun(reason="Not needed any more.", idempotency_key="cancel")
        return self.admin.post(path("flow-runs", run, "cancel"), request, FlowRunView)

    def restart(self, run: UUID) -> FlowRunView:
        request = RestartFlowRun(reason="The disk is back.", idempotency_key="restart", from_task="extract-1")
        return self.admin.post(path("flow-runs", run, "restart"), request, FlowRunView)

    def agent(self) -> tuple[Transport, UUID]:
        request = CreateToken(name="agents", scope="agent", username="admin")
        own = self.speak_as(self.admin.post(path("tokens"), request, TokenCreated).token)
        enrolled = agents.enrol(
            own, Enrol(name="host-1", type="process", labels=["etl", "gpu"], version="0.1.0", host="h1")
        )
        return own, enrolled.agent_id

    def claim(self, agent: Transport, agent_id: UUID) -> tuple[Work, Transport]:
        (work,) = agents.claim(agent, agent_id, Claim(free_slots=1)).work
        return work, self.speak_as(work.run_token)


def run_conversation(speaker: Speaker) -> None:
    """A run begins, reports, waits for slots, is refused, hands over to a second attempt and succeeds."""
    stage = speaker.stage
    speaker.register()
    concurrency.put(speaker.admin, "task_tag", "db", 1)
    run = speaker.create("first", day="monday").id
    agent, agent_id = speaker.agent()
    work, first = speaker.claim(agent, agent_id)
    assert work.flow_run_id == run

    assert run_protocol.begin(first, run, 1).verdict == "go"
    assert run_protocol.begin(first, run, 1).verdict == "go"  # its answer was lost
    stage.move(0.25)
    assert run_protocol.slots(first, run, AskSlots(attempt=1, task_slug="extract-1", tags=["db"])).granted
    second_slot = run_protocol.slots(first, run, AskSlots(attempt=1, task_slug="extract-1", map_index=1, tags=["db"]))
    assert not second_slot.granted
    _report(first, run, 1, 1, *_task_events(stage))
    stage.move(10)
    _report(first, run, 1, 1)  # a heartbeat
    _report(first, run, 1, 2, *_log_events(stage))
    _report(first, run, 1, 2, *_log_events(stage))  # sent twice
    with pytest.raises(errors.SequenceGap):
        _report(first, run, 1, 4, *_log_events(stage))
    run_protocol.slots(first, run, AskSlots(attempt=1, task_slug="extract-1", tags=["db"], release=True))
    assert run_protocol.slots(first, run, AskSlots(attempt=1, task_slug="extract-1", map_index=1, tags=["db"])).granted
    with pytest.raises(errors.Invalid):
        first.send("POST", path("flow-runs", run, "report"), b'{"attempt":1,"seq":3,"events":[],"colour":"red"}')
    artifact = MakeArtifact(
        attempt=1, number=1, slot="0" * 64, kind="markdown", sha256=sha256(b"x").hexdigest(), content=b"x", key="report"
    )
    assert artifacts.make(first, run, artifact) == artifacts.make(first, run, artifact)
    stage.move(1)
    _report(first, run, 1, 3, (Failed(message="Some reference tasks failed."), stage.time))
    with pytest.raises(errors.ClientError):
        _report(first, run, 1, 4, *_log_events(stage))

    _second_attempt(speaker, run, first, agent, agent_id)


def _second_attempt(speaker: Speaker, run: UUID, first: Transport, agent: Transport, agent_id: UUID) -> None:
    """It learns the states of the first attempt, whose own reports are refused from now on."""
    stage = speaker.stage
    speaker.restart(run)
    work, second = speaker.claim(agent, agent_id)
    assert work.attempt == 2
    begun = run_protocol.begin(second, run, 2)
    assert begun.verdict == "go" and begun.tasks
    with pytest.raises(errors.ClientError):
        _report(first, run, 1, 4, *_log_events(stage))
    with pytest.raises(errors.StaleAttempt):
        _report(second, run, 1, 1, *_log_events(stage))
    stage.move(2)
    _report(second, run, 2, begun.last_seq + 1, ("extract-1", -1, Success(result=None), stage.time, 1, None, False))
    speaker.cancel(run)
    stage.move(10)
    assert run_protocol.report(second, run, events.encode(2, begun.last_seq + 1, [])).cancel
    _report(second, run, 2, begun.last_seq + 2, (Success(message="All reference tasks succeeded."), stage.time))
    assert run_protocol.begin(second, run, 2).verdict == "refused"


def agent_conversation(speaker: Speaker) -> None:
    """An agent enrols, claims, reports, stops what was cancelled, and is told of what it does not hold."""
    stage = speaker.stage
    speaker.register()
    done, stopped = speaker.create("first").id, speaker.create("second").id
    agent, agent_id = speaker.agent()
    claim = agents.claim(agent, agent_id, Claim(free_slots=2, labels=["etl", "gpu"]))
    assert [work.flow_run_id for work in claim.work] == [done, stopped]
    holding = [Held(flow_run_id=work.flow_run_id, attempt=work.attempt) for work in claim.work]
    agents.report(agent, agent_id, AgentReport(started=holding))
    assert not agents.claim(agent, agent_id, Claim(free_slots=0, holding=holding)).stop

    stage.move(3)
    for work in claim.work:
        assert run_protocol.begin(speaker.speak_as(work.run_token), work.flow_run_id, 1).verdict == "go"
    speaker.cancel(stopped)
    (stop,) = agents.claim(agent, agent_id, Claim(free_slots=6, wait_s=20.0, holding=holding)).stop
    assert stop.flow_run_id == stopped

    stage.move(1)
    line = InfrastructureLog(flow_run_id=done, attempt=1, at=stage.time, level="WARNING", message="The disk is full. ✗")
    agents.report(agent, agent_id, AgentReport(logs=[line]))
    agents.report(agent, agent_id, AgentReport(exited=_exits(done, stopped)))
    assert agents.report(agent, agent_id, AgentReport(started=[Held(flow_run_id=AWAY, attempt=3)])).stale
    with pytest.raises(errors.NotFound):
        agents.claim(agent, AWAY, Claim(free_slots=1))
    with pytest.raises(errors.ClientError):
        agents.claim(speaker.speak_as("apl_agent_unknown"), agent_id, Claim(free_slots=1))


def child_conversation(speaker: Speaker) -> None:
    """A task of a run starts another run, learns that it has failed, has it restarted, and reads what one of its tasks has returned."""
    stage = speaker.stage
    tasks = [{"slug": "load-1", "name": "load", "starts": {"flow": "etl"}}, {"slug": "extract-1", "name": "extract"}]
    speaker.register(tasks=tasks, edges=[])
    run = speaker.create("parent").id
    agent, agent_id = speaker.agent()
    _work, parent = speaker.claim(agent, agent_id)
    assert run_protocol.begin(parent, run, 1).starts_runs
    first = AskChild(attempt=1, task_slug="load-1", parameters={"day": "monday"}, labels=["etl"], name="child")
    child = run_protocol.child(parent, run, first).flow_run_id
    assert run_protocol.child(parent, run, first).flow_run_id == child  # its answer was lost
    with pytest.raises(errors.Forbidden):
        run_protocol.child(parent, run, AskChild(attempt=1, task_slug="extract-1"))
    none = run_protocol.await_children(parent, run, AwaitChildren(attempt=1))
    _work, own = speaker.claim(agent, agent_id)
    run_protocol.begin(own, child, 1)
    stage.move(1)
    _report(own, child, 1, 1, (Failed(message="Some reference tasks failed."), stage.time))
    ended = run_protocol.await_children(parent, run, AwaitChildren(attempt=1, mark=none.mark))
    assert ended.ended == [child]
    assert run_protocol.child(parent, run, first).over
    again = AskChild(attempt=1, task_slug="load-1", count=2)
    assert run_protocol.child(parent, run, again).state_type == "SCHEDULED"
    _work, own = speaker.claim(agent, agent_id)
    begun = run_protocol.begin(own, child, 2)
    _report(own, child, 2, begun.last_seq + 1, ("extract-1", -1, Success(result=None), stage.time, 1, "at/here", False))
    stage.move(1)
    _report(own, child, 2, begun.last_seq + 2, (Success(message="All reference tasks succeeded."), stage.time))
    read = AskChild(attempt=1, task_slug="extract-1", flow_run_id=child, result_of="extract-1")
    assert run_protocol.child(parent, run, read).results


CONVERSATIONS: dict[str, Callable[[Speaker], None]] = {
    "run_protocol": run_conversation,
    "agent_protocol": agent_conversation,
    "child_runs": child_conversation,
}


def _exits(done: UUID, stopped: UUID) -> list[Exited]:
    return [
        Exited(flow_run_id=done, attempt=1, code=3, tail=["Traceback (most recent call last):", "OSError: ✗"]),
        Exited(
            flow_run_id=stopped,
            attempt=1,
            signal="SIGTERM",
            reason="The agent stopped it.",
            cpu_seconds=1.25,
            peak_memory=2**27,
        ),
    ]


def _report(run: Transport, run_id: UUID, attempt: int, seq: int, *items: events.Item) -> None:
    """A batch as the reporter of a tracked run encodes it."""
    run_protocol.report(run, run_id, events.encode(attempt, seq, [events.event(item) for item in items]))


def _task_events(stage: Stage) -> list[events.Item]:
    """Flow and task states with everything that they may carry."""
    at, later = stage.time, stage.time + timedelta(minutes=5)
    states: list[tuple[str, int, State]] = [
        ("extract-1", -1, Running()),
        ("extract-1", -1, Retrying(message="ConnectionError: once more", start_time=later, run_count=1)),
        ("extract-1", -1, Success(message="Task run succeeded.", result=None)),
        ("load-1", -1, Mapped(n_map_states=4)),
        ("load-1", 0, Cached(result=None)),
        ("load-1", 1, Skipped(message="Nothing to load.")),
        ("load-1", 2, Failed(message="ValueError: no such column \0 ünïcode")),
        ("load-1", 3, TriggerFailed(message="An upstream task failed.")),
    ]
    return [(slug, index, state, at, 1, f"{slug} of monday", index == 3) for slug, index, state in states]


def _log_events(stage: Stage) -> list[events.Item]:
    at = stage.time
    return [
        (at, 20, "appliance.run.etl", "twelve rows", "extract-1", -1),
        (at, 40, "appliance.run", 'a quote " and a backslash \\ and ✓', None, -1),
    ]
