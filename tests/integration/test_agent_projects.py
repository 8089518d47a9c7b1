"""An agent for some projects gets no run of another, and its token is good for no other projects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.agents import Enrol
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import agents, flows
from appliance.server.actions import concurrency as limits
from appliance.server.db.session import Database
from appliance.server.domain.concurrency import FLOW
from appliance.server.errors import ClosedFolder, Invalid
from tests.integration.builders import ALICE, claim, create, document, rows, waits
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_bound_tokens import enrol as enrol_as
from tests.integration.test_bound_tokens import token

__all__ = ["database", "site"]


def enrol(database: Database, name: str, *projects: str, **more: Any) -> UUID:
    return agents.enrol(database, ALICE, Enrol(name=name, type="process", projects=list(projects), **more)).agent_id


def register(database: Database, project: str, path: str | None = None) -> Registered:
    storage: dict[str, Any] = {"type": "local"} | (
        {} if path is None else {"path": path, "flow": "etl", "sha256": "0" * 64}
    )
    return flows.register(
        database,
        ALICE,
        Registration(project=project, name="etl", content_hash="0" * 64, document=document(), storage=storage),
    )


@pytest.mark.parametrize("limited", [False, True], ids=["without limits", "with limits"])
def test_an_agent_gets_runs_of_its_projects_alone(database: Database, limited: bool) -> None:
    ours, theirs = register(database, "ours"), register(database, "theirs")
    if limited:
        limits.put(database, ALICE, FLOW, "ours/etl", 5)
    mine, other = create(database, ours.flow_id), create(database, theirs.flow_id)
    agent = enrol(database, "narrow", "ours", "not yet there")
    assert [work.flow_run_id for work in claim(database, agent, 5)] == [mine]
    reason = waits(database, other)
    assert reason is not None
    assert reason.sentence == "No live agent takes runs of this project."
    assert claim(database, enrol(database, "narrow", "not yet there"), 5) == []
    assert [work.flow_run_id for work in claim(database, enrol(database, "wide"), 5)] == [other]


def test_only_agents_of_the_project_decide_from_where_its_code_comes(database: Database) -> None:
    enrol(database, "narrow", "ours", roots=["/flows"])
    enrol(database, "other", "theirs", roots=["/srv"])
    assert register(database, "theirs", "/srv/etl.py").created
    with pytest.raises(ClosedFolder, match="agent 'narrow'"):
        register(database, "ours", "/srv/etl.py")


@pytest.mark.parametrize("projects", [[""], ["a\0b"], [f"p{number}" for number in range(101)]])
def test_names_that_no_project_has_are_refused(database: Database, projects: list[str]) -> None:
    with pytest.raises(Invalid):
        enrol(database, "narrow", *projects)
    assert rows(database, "select name from agent") == []


def test_a_token_is_bound_to_the_projects_of_its_first_agent(site: Site) -> None:
    token(site, "edge")
    first = enrol_as(site, "edge", projects=["a", "b"])
    for projects in (["a"], ["b", "a"]):
        assert enrol_as(site, "edge", projects=projects).json()["agent_id"] == first.json()["agent_id"]
    for projects, name in ((["a", "c"], "c"), ([], "all projects")):
        answer = enrol_as(site, "edge", projects=projects)
        assert answer.status_code == 404
        assert f"did not take runs of {name}" in answer.json()["message"]
    assert rows(site.database, "select projects from agent")[0]["projects"] in (["a", "b"], '["a","b"]', '["a", "b"]')


def test_a_token_of_an_agent_for_all_projects_is_good_for_some(site: Site) -> None:
    token(site, "edge")
    assert enrol_as(site, "edge").status_code == 201
    assert enrol_as(site, "edge", projects=["a"]).status_code == 201
