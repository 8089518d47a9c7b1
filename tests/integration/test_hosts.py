"""Code that is on one host alone: only agents of that host take its runs, while one is known."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from appliance.kit import ids
from appliance.protocol.agents import Enrol
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import agents, concurrency, flows
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.db.session import Database
from tests.integration.builders import ALICE, YEARLY, claim, create, document, rows, waits


def enrol(database: Database, name: str, host: str, **more: Any) -> UUID:
    return agents.enrol(database, ALICE, Enrol(name=name, type="process", host=host, **more)).agent_id


def register(database: Database, host: str, **parts: Any) -> Registered:
    doc = document(**parts)
    storage = {"type": "local", "path": "/flows/etl.py", "flow": "etl", "sha256": "0" * 64}
    request = Registration(
        project="demo", name="etl", content_hash=ids.sha256(repr(doc)), document=doc, storage=storage, host=host
    )
    return flows.register(database, ALICE, request)


def sentence(database: Database, run: UUID) -> str:
    reason = waits(database, run)
    return "" if reason is None else reason.sentence


def labels(database: Database, table: str) -> set[tuple[str, ...]]:
    found = [row["labels"] for row in rows(database, f"select labels from {table}")]
    return {tuple(json.loads(one) if isinstance(one, str) else one) for one in found}


@pytest.mark.parametrize("limited", [False, True], ids=["without limits", "with limits"])
def test_only_an_agent_of_the_host_takes_the_run(database: Database, limited: bool) -> None:
    here, there = enrol(database, "here", "a"), enrol(database, "there", "b", labels=["gpu"])
    flow = register(database, "a", labels=["gpu"])
    if limited:
        concurrency.put(database, ALICE, "flow", "demo/etl", 5)
    assert labels(database, "flow_version") == {("gpu", "on-host:a")}
    run = create(database, flow.flow_id)
    assert claim(database, there, 5) == []
    assert claim(database, here, 5) == []
    assert (
        sentence(database, run) == "No live agent has all of the labels gpu, on-host:a; the closest, here, lacks gpu."
    )
    here = enrol(database, "here", "a", labels=["gpu"])
    assert [work.flow_run_id for work in claim(database, here, 5)] == [run]


def test_while_the_hosts_agent_is_away_the_run_says_that_it_waits_for_it(database: Database) -> None:
    here, there = enrol(database, "here", "a"), enrol(database, "there", "b")
    run = create(database, register(database, "a").flow_id)
    agents.sign_off(database, ALICE, here)
    assert claim(database, there, 5) == []
    assert sentence(database, run) == "The code is on host a, and no agent of that host is online."
    assert [work.flow_run_id for work in claim(database, enrol(database, "another", "a"), 5)] == [run]


def test_no_run_waits_for_a_host_that_nobody_knows(database: Database) -> None:
    there = enrol(database, "there", "b")
    run = create(database, register(database, "laptop").flow_id)
    assert [work.flow_run_id for work in claim(database, there, 5)] == [run]
    enrol(database, "container", "c1")
    later = create(database, register(database, "c1").flow_id)
    assert claim(database, there, 5) == []
    enrol(database, "container", "c2")  # started again, with another host name
    assert sentence(database, later) == "An agent will take the run in a moment."
    assert [work.flow_run_id for work in claim(database, there, 5)] == [later]


def test_labels_of_a_run_do_not_move_its_code(database: Database) -> None:
    there = enrol(database, "there", "b", labels=["gpu"])
    here = enrol(database, "here", "a", labels=["gpu"])
    flow = register(database, "a")
    run = create_run(database, ALICE, CreateFlowRun(flow_id=flow.flow_id, labels=["gpu"])).id
    assert claim(database, there, 5) == []
    assert [work.flow_run_id for work in claim(database, here, 5)] == [run]


def test_planned_runs_follow_the_code_to_another_host(database: Database) -> None:
    enrol(database, "there", "b")
    enrol(database, "here", "a")
    schedules = [YEARLY | {"labels": ["gpu"]}]
    register(database, "a", schedules=schedules)
    assert labels(database, "flow_run") == {("gpu", "on-host:a")}
    moved = register(database, "b", schedules=schedules)
    assert (moved.version, sorted(moved.changes)) == (2, ["label on-host:a removed", "label on-host:b added"])
    assert labels(database, "flow_run") == {("gpu", "on-host:b")}


def test_agents_of_other_projects_do_not_make_a_host_known(database: Database) -> None:
    enrol(database, "here", "a", projects=["another"])
    assert register(database, "a").created
    assert labels(database, "flow_version") == {()}
