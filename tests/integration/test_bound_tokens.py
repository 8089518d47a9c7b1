"""An agent's token belongs to the first agent that enrols with it: for anybody else, the agent isn't there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.tokens import CreateToken, RotateToken
from appliance.server.actions import tokens
from appliance.server.auth.identity import SYSTEM
from tests.integration import builders
from tests.integration.builders import one, rows
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

EDGE = {"name": "edge-01", "type": "process", "capacity": 2, "labels": ["gpu", "edge"]}


def token(site: Site, name: str) -> UUID:
    """A new token under this name; its id."""
    made = tokens.create(site.database, SYSTEM, CreateToken(name=name, scope="agent", username="admin"))
    site.tokens[name] = made.token
    return made.view.id


def enrol(site: Site, principal: str, **changes: Any) -> Any:
    return site.post("/api/v1/agents", EDGE | changes, principal)


@pytest.fixture
def edge(site: Site) -> str:
    """The id of an enrolled agent, whose token is called "edge"."""
    token(site, "edge")
    return str(enrol(site, "edge").json()["agent_id"])


def test_the_same_agent_comes_back(site: Site, edge: str) -> None:
    for changes in ({}, {"capacity": 4}, {"labels": ["gpu"]}, {"labels": []}, {"labels": ["edge", "gpu"]}):
        answer = enrol(site, "edge", **changes)
        assert (answer.status_code, answer.json()["agent_id"]) == (201, edge)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "edge-02"}, "appliance token create edge-02 --scope agent"),
        ({"labels": ["gpu", "finance"]}, "the label finance"),
    ],
)
def test_another_agent_can_not_use_it(site: Site, edge: str, changes: dict[str, Any], sentence: str) -> None:
    before = rows(site.database, "select name, labels from agent")
    answer = enrol(site, "edge", **changes)
    assert answer.status_code == 404
    assert sentence in answer.text
    assert rows(site.database, "select name, labels from agent") == before


def test_a_new_token_takes_an_agent_over_if_it_is_named_like_it_or_the_former_one_is_revoked(site: Site) -> None:
    first = token(site, "first")
    agent = enrol(site, "first").json()["agent_id"]
    token(site, "second")
    refused = enrol(site, "second", labels=["finance"])
    assert refused.status_code == 404 and "appliance token create edge-01 --scope agent" in refused.text
    assert "finance" not in str(one(site.database, "select labels from agent")["labels"])
    token(site, "edge-01")
    assert enrol(site, "edge-01").json()["agent_id"] == agent
    tokens.revoke(site.database, SYSTEM, first)
    assert enrol(site, "second").status_code == 404  # that named like the agent is good
    assert enrol(site, "second", name="edge-02").status_code == 201


def _requests(agent: str, run: str) -> dict[str, tuple[str, Any]]:
    return {
        "claim": (f"/api/v1/agents/{agent}/claim", {"free_slots": 1}),
        "report": (f"/api/v1/agents/{agent}/report", {"started": [], "exited": [], "logs": []}),
        "code-gone": (f"/api/v1/agents/{agent}/code-gone", {"flow_run_id": run, "attempt": 1, "reason": "gone"}),
        "were-deleted": (f"/api/v1/agents/{agent}/were-deleted", {"flow_run_ids": [run]}),
        "sign-off": (f"/api/v1/agents/{agent}/sign-off", {}),
    }


@pytest.mark.parametrize("other", ["bound to another", "not yet bound"])
@pytest.mark.parametrize("name", ["claim", "report", "code-gone", "were-deleted", "sign-off"])
def test_nobody_speaks_for_another_agent(site: Site, edge: str, other: str, name: str) -> None:
    token(site, "other")
    if other == "bound to another":
        assert enrol(site, "other", name="edge-02").status_code == 201
    run = str(builders.create(site.database, builders.register(site.database).flow_id))
    path, body = _requests(edge, run)[name]
    before = rows(site.database, "select state, last_seen from agent where id = :id", id=UUID(edge))
    assert site.post(path, body, "other").status_code == 404
    assert rows(site.database, "select state, last_seen from agent where id = :id", id=UUID(edge)) == before
    assert site.post(path, body, "edge").status_code in (200, 204)


def test_a_claim_can_not_add_labels(site: Site, edge: str) -> None:
    path = f"/api/v1/agents/{edge}/claim"
    assert site.post(path, {"free_slots": 1, "labels": ["gpu"]}, "edge").status_code == 200
    assert site.post(path, {"free_slots": 1, "labels": ["finance"]}, "edge").status_code == 404


@pytest.mark.parametrize("wider", [{"labels": ["gpu", "edge", "finance"]}, {"projects": []}])
def test_another_token_of_the_same_agent_does_not_open_more(site: Site, wider: dict[str, Any]) -> None:
    token(site, "narrow")
    agent = enrol(site, "narrow", projects=["tests"]).json()["agent_id"]
    token(site, "edge-01")
    assert enrol(site, "edge-01", **{"projects": ["tests"]} | wider).json()["agent_id"] == agent
    path = f"/api/v1/agents/{agent}/claim"
    assert site.post(path, {"free_slots": 1}, "narrow").status_code == 404
    assert site.post(path, {"free_slots": 1}, "edge-01").status_code == 200
    assert enrol(site, "narrow", projects=["tests"]).status_code == 201
    assert site.post(path, {"free_slots": 1}, "narrow").status_code == 200


def test_its_successor_is_for_the_same_agent(site: Site) -> None:
    old = token(site, "edge")
    agent = enrol(site, "edge").json()["agent_id"]
    site.tokens["edge"] = tokens.rotate(site.database, SYSTEM, old, RotateToken()).token
    assert enrol(site, "edge", name="edge-02").status_code == 404
    assert site.post(f"/api/v1/agents/{agent}/claim", {"free_slots": 1}, "edge").status_code == 200


def test_tokens_of_the_release_before_are_for_any_agent(site: Site) -> None:
    """As they were: several agents may share one."""
    for name in ("edge-01", "edge-02"):
        assert enrol(site, "agent", name=name).status_code == 201
    assert one(site.database, "select bound_name from api_token where scope = 'agent'")["bound_name"] is None
