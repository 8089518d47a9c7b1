"""Saved views: each user's own, one of a name, at every door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from appliance.cli.root import invoke
from appliance.protocol.saved_views import EditView, SaveView
from appliance.server.actions import saved_views
from appliance.server.actions import users as user_actions
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import saved_views as reads
from appliance.server.db.reads import users
from appliance.server.db.session import Database
from appliance.server.errors import Conflict, Forbidden, Invalid, NotFound, UnknownName
from tests.integration import builders
from tests.integration.lasting import database, lasting, lasting_address, site
from tests.integration.server_fixtures import Site
from tests.integration.test_names_on_the_command_line import address, run

__all__ = ["address", "database", "lasting", "lasting_address", "run", "site"]


def actor_of(db: Database, name: str) -> Actor:
    with db.read() as session:
        user = users.by_username(session, name)
    assert user is not None
    return Actor(kind="user", name=name, role=user.role, user_id=user.id)


def names_of(db: Database, actor: Actor) -> list[str]:
    with db.read() as session:
        return [row.name for row in reads.of_user(session, saved_views.owner(actor))]


def default_of(db: Database, actor: Actor) -> list[str]:
    with db.read() as session:
        return [row.name for row in reads.of_user(session, saved_views.owner(actor)) if row.is_default]


def test_one_of_a_name_and_one_default(site: Site) -> None:
    db, anne = site.database, actor_of(site.database, "viewer")
    first = saved_views.save(db, anne, SaveView(name="  My   failures ", q="state:failed", default=True))
    again = saved_views.save(db, anne, SaveView(name="MY FAILURES", q="state:late", sort="waiting"))
    assert again == first and names_of(db, anne) == ["MY FAILURES"] == default_of(db, anne)
    other = saved_views.save(db, anne, SaveView(name="All", columns=["state", "run"], default=True))
    assert default_of(db, anne) == ["All"]
    with pytest.raises(Conflict, match="another saved view named 'All'"):
        saved_views.edit(db, anne, first, EditView(name="ALL"))
    saved_views.edit(db, anne, other, EditView(name="all", default=False))
    assert names_of(db, anne) == ["all", "MY FAILURES"] and default_of(db, anne) == []
    saved_views.edit(db, anne, first, EditView(default=True))
    saved_views.delete(db, anne, first)
    assert names_of(db, anne) == ["all"]
    with pytest.raises(NotFound):
        saved_views.delete(db, anne, first)


def test_what_cannot_be_saved_is_refused_with_a_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    db, anne = site.database, actor_of(site.database, "viewer")
    for request, sentence in (
        (SaveView(name="x", q="stat:failed"), "There is no filter 'stat'"),
        (SaveView(name="x", q="duration:10m"), "duration:10m can't be used"),
        (SaveView(name=" "), "1 to 60"),
        (SaveView(name="x" * 61), "1 to 60"),
        (SaveView(name="two\0"), "printable"),
        (SaveView(name="x", columns=["State!"]), "columns"),
    ):
        with pytest.raises(Invalid, match=sentence):
            saved_views.save(db, anne, request)
    with pytest.raises(UnknownName, match="did you mean 'Failed'"):
        saved_views.save(db, anne, SaveView(name="x", q="state:faild"))
    monkeypatch.setattr(saved_views, "MOST", 1)
    saved_views.save(db, anne, SaveView(name="one"))
    with pytest.raises(Conflict, match="1 saved views already"):
        saved_views.save(db, anne, SaveView(name="two"))
    saved_views.save(db, anne, SaveView(name="ONE"))
    for nobody in (SYSTEM, Actor(kind="agent", name="a")):
        with pytest.raises(Forbidden, match="belong to users"):
            saved_views.save(db, nobody, SaveView(name="x"))


def test_each_user_has_their_own(site: Site) -> None:
    db, anne, bert = site.database, actor_of(site.database, "viewer"), actor_of(site.database, "operator")
    view = saved_views.save(db, anne, SaveView(name="mine", default=True))
    saved_views.save(db, bert, SaveView(name="mine", default=True))
    for attempt in (
        lambda: saved_views.edit(db, bert, view, EditView(name="his")),
        lambda: saved_views.delete(db, bert, view),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert names_of(db, anne) == ["mine"] == names_of(db, bert)
    user_actions.delete(db, SYSTEM, saved_views.owner(anne))
    assert names_of(db, anne) == [] and names_of(db, bert) == ["mine"]


def test_saved_at_once_there_is_one_of_a_name_and_one_default(site: Site) -> None:
    db, anne = site.database, actor_of(site.database, "viewer")

    def save(number: int) -> UUID:
        return saved_views.save(db, anne, SaveView(name=f"view {number % 2}", default=True))

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(save, range(8)))
    assert len(made) == 2 and names_of(db, anne) == ["view 0", "view 1"] and len(default_of(db, anne)) == 1


def test_over_http(site: Site) -> None:
    headers = site.headers("viewer")
    body = {"name": "Late", "q": "state:late", "sort": "waiting", "columns": ["state"], "default": True}
    made = site.client.put("/api/v1/views", json=body, headers=headers).json()
    assert made == {"id": made["id"], **body}
    path = f"/api/v1/views/{made['id']}"
    assert site.client.patch(path, json={"name": "Later"}, headers=headers).json()["name"] == "Later"
    assert site.client.get("/api/v1/views", headers=headers).json()["items"] == [made | {"name": "Later"}]
    refused = site.client.put("/api/v1/views", json=body | {"sort": "name"}, headers=headers)
    assert refused.status_code == 400, refused.text
    assert site.client.delete(path, headers=headers).status_code == 204
    assert site.client.patch(path, json={}, headers=headers).status_code == 404
    agent = site.client.get("/api/v1/views", headers=site.headers("agent"))
    assert agent.status_code == 403 and "agent tokens" in agent.text


def test_in_graphql(site: Site) -> None:
    save = """mutation ($input: SaveViewInput!) { saveView(input: $input) { savedView { id name sort columns default } } }"""
    made = site.data(save, input={"name": "Late", "q": "state:late", "sort": "WAITING"})["saveView"]["savedView"]
    assert made == {"id": made["id"], "name": "Late", "sort": "WAITING", "columns": [], "default": False}
    edit = "mutation ($input: EditViewInput!) { editView(input: $input) { savedView { name default } } }"
    edited = site.data(edit, input={"savedViewId": made["id"], "default": True})["editView"]["savedView"]
    assert edited == {"name": "Late", "default": True}
    assert site.data("{ savedViews { name q } }")["savedViews"] == [{"name": "Late", "q": "state:late"}]
    delete = "mutation ($input: DeleteViewInput!) { deleteView(input: $input) { savedViewId } }"
    assert site.data(delete, input={"savedViewId": made["id"]})["deleteView"] == {"savedViewId": made["id"]}
    assert site.data("{ savedViews { name } }")["savedViews"] == []


def test_on_the_command_line(site: Site, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    db = site.database
    flow = builders.register(db)
    name = builders.run_row(db, builders.create(db, flow.flow_id))["name"]
    assert run("view", "list") == ""
    assert "is saved" in run("view", "save", "Of etl", "--query", "flow:etl", "--sort", "scheduled_time", "--default")
    run("view", "save", "Failed", "--query", "state:failed")
    assert "default" in run("view", "list")
    assert "no longer opens with 'Of etl'" in run("view", "default", "of etl", "--off")
    assert "default" not in run("view", "list")
    assert "opens with 'Failed'" in run("view", "default", "failed")
    assert "default" in run("view", "list")
    assert name in run("get", "flow-runs", "--view", "OF ETL") and name not in run(
        "get", "flow-runs", "--view", "failed"
    )
    assert invoke(["get", "flow-runs", "--view", "failed", "--query", "x"]) == 2
    assert "either --view or --query" in capsys.readouterr().err
    assert invoke(["get", "flow-runs", "--view", "faild"]) == 2
    assert "There is no saved view 'faild'; did you mean" in capsys.readouterr().err
    assert invoke(["view", "save", "x", "--query", "stat:failed"]) == 2
    assert "There is no filter 'stat'" in capsys.readouterr().err
    assert "'Failures'" in run("view", "rename", "failed", "Failures")
    run("view", "delete", "failures")
    assert "Failures" not in run("view", "list")
