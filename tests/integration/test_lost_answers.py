"""A key stands for one request: every mutation of both schemas is sent again after lost answers, and has one effect and one answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from graphql import GraphQLInputObjectType, get_named_type, is_leaf_type

from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun
from appliance.server.actions import schedules
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.pause import pause_run
from appliance.server.actions.flow_runs.resume import resume_run
from appliance.server.actions.retention import Sweep
from appliance.server.api.gate import handlers
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.domain.retention import Keep
from appliance.server.errors import Conflict, Invalid, KeyReused
from appliance.server.graphql import schema
from tests.integration import mutations
from tests.integration.builders import ALICE, create, register, rows, run_row
from tests.integration.conftest import StoppedClock
from tests.integration.lasting import database, site
from tests.integration.mutations import GRAPHQL, OWN_MEANS, REST, WITHOUT_EFFECT_HERE
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

KEY = "9f5d2c9e-6a4b-4d1c-8f3e-0d6b5a7c1e42"
BOB = replace(ALICE, name="bob")
_LOST = 3


def effects(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Everything that is stored, but for keys and what merely reading changes."""
    found = {}
    for table in set(metadata.tables) - {"request_key", "lease"}:
        found[table] = rows(database, f'select * from "{table}"')
        for row in found[table]:
            row.pop("last_used", None)
        found[table].sort(key=repr)
    return found


def routes(site: Site) -> set[str]:
    """Every route that could change something."""
    found = set()
    for route in site.app.routes:
        for method in getattr(route, "methods", set()) - {"GET", "HEAD", "OPTIONS"}:
            found.add(f"{method} {route.path_format.removeprefix('/api/v1')}")
    assert found and handlers(site.app)
    return found


def mutation(name: str) -> Any:
    root = schema.build().mutation_type
    assert root is not None
    return root.fields[name]


def test_every_mutation_has_a_sample(site: Site) -> None:
    if site.database.dialect == "sqlite":
        assert routes(site) == set(REST) | set(OWN_MEANS)
        root = schema.build().mutation_type
        assert root is not None
        assert set(root.fields) == set(GRAPHQL)


@pytest.mark.parametrize("name", sorted(GRAPHQL))
def test_every_mutation_takes_a_key(name: str) -> None:
    arguments = mutation(name).args
    if "input" in arguments:
        kind = cast(GraphQLInputObjectType, get_named_type(arguments["input"].type))
        assert "idempotencyKey" in kind.fields
    else:
        assert set(arguments) == {"idempotencyKey"}


@pytest.mark.diagonal
@pytest.mark.parametrize("route", sorted(REST))
def test_rest(site: Site, clock: StoppedClock, route: str) -> None:
    path, body = REST[route](site)
    headers = site.headers("admin") | {"Idempotency-Key": KEY}

    def send(key: str = KEY) -> Any:
        options: dict[str, Any] = {} if body is None else {"json": body}
        method = route.partition(" ")[0]
        return site.client.request(method, f"/api/v1{path}", headers=headers | {"Idempotency-Key": key}, **options)

    before, first = effects(site.database), send()
    assert first.is_success, first.text
    after = effects(site.database)
    assert (after != before) == (route not in WITHOUT_EFFECT_HERE)
    for _ in range(_LOST):
        again = send()
        assert (again.status_code, _told(again)) == (first.status_code, _told(first))
    assert effects(site.database) == after


def _told(answer: Any) -> dict[str, Any]:
    """The answer without why the run waits, which a new run's answer leaves out."""
    body = answer.json() if answer.content else {}
    return {name: value for name, value in body.items() if name not in ("wait_code", "wait_reason")}


@pytest.mark.diagonal
@pytest.mark.parametrize("name", sorted(GRAPHQL))
def test_graphql(site: Site, clock: StoppedClock, name: str) -> None:
    fields = GRAPHQL[name](site) | {"idempotencyKey": KEY}
    query, variables = _document(name), {"input": fields} if "input" in mutation(name).args else fields
    before, first = effects(site.database), site.data(query, "admin", **variables)
    after = effects(site.database)
    assert (after != before) == (name not in WITHOUT_EFFECT_HERE)
    for _ in range(_LOST):
        assert site.data(query, "admin", **variables) == first
    assert effects(site.database) == after


def _document(name: str) -> str:
    """The mutation, asking for the leaves of its payload."""
    field = mutation(name)
    declared = ", ".join(f"${argument}: {field.args[argument].type}" for argument in field.args)
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    return f"mutation ({declared}) {{ {name}({passed}) {_selection(field.type, 3)} }}"


def _selection(kind: Any, depth: int) -> str:
    named: Any = get_named_type(kind)
    leaves = [
        name for name, field in named.fields.items() if is_leaf_type(get_named_type(field.type)) and not field.args
    ]
    deeper = [
        f"{name} {_selection(field.type, depth - 1)}"
        for name, field in named.fields.items()
        if depth > 2 and not is_leaf_type(get_named_type(field.type)) and not field.args
    ]
    return f"{{ {' '.join([*leaves, *deeper])} }}"


# --- a key stands for one request


def test_another_run_another_verb_or_another_payload_is_refused(database: Database, clock: StoppedClock) -> None:
    flow = register(database).flow_id
    a, b = (create(database, flow, scheduled_time=clock.time + timedelta(hours=1)) for _ in range(2))
    delete_run(database, ALICE, a, ChangeFlowRun(idempotency_key="d"))
    with pytest.raises(KeyReused, match="a key stands for one request, so use a new one"):
        delete_run(database, ALICE, b, ChangeFlowRun(idempotency_key="d"))
    pause_run(database, ALICE, b, ChangeFlowRun(idempotency_key="p"))
    with pytest.raises(KeyReused):
        cancel_run(database, ALICE, b, ChangeFlowRun(idempotency_key="p"))
    with pytest.raises(KeyReused):
        pause_run(database, ALICE, b, ChangeFlowRun(reason="another", idempotency_key="p"))
    create(database, flow, idempotency_key="c")
    with pytest.raises(KeyReused):
        create(database, flow, idempotency_key="c", labels=["gpu"])
    with pytest.raises(KeyReused):
        create(database, register(database, "other").flow_id, idempotency_key="c")
    assert run_row(database, b)["state_name"] == "Paused"


def test_create_delete_create_makes_no_second_run(site: Site) -> None:
    body = {"flow_id": str(mutations.flow(site)), "idempotency_key": "c"}
    run = site.post("/api/v1/flow-runs", body, "admin").json()["id"]
    assert site.client.delete(f"/api/v1/flow-runs/{run}", headers=site.headers("admin")).status_code == 204
    again = site.post("/api/v1/flow-runs", body, "admin")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert "may have been deleted" in again.json()["message"]
    assert rows(site.database, "select id from flow_run") == []


def test_what_changed_nothing_changes_nothing_when_it_arrives_late(database: Database, clock: StoppedClock) -> None:
    run = create(database, register(database).flow_id, scheduled_time=clock.time + timedelta(hours=1))
    pause_run(database, ALICE, run)
    pause_run(database, BOB, run, ChangeFlowRun(idempotency_key="p"))
    resume_run(database, ALICE, run)
    pause_run(database, BOB, run, ChangeFlowRun(idempotency_key="p"))
    assert run_row(database, run)["state_name"] == "Scheduled"


def test_a_refusal_is_not_remembered(database: Database) -> None:
    flow = register(database).flow_id
    run = create(database, flow)
    resume = ChangeFlowRun(idempotency_key="r")
    with pytest.raises(Invalid, match="idempotency key must be"):
        cancel_run(database, ALICE, run, ChangeFlowRun(idempotency_key=""))
    with pytest.raises(Conflict):
        pause_run(database, ALICE, run, ChangeFlowRun(idempotency_key="r", version=9))
    pause_run(database, ALICE, run, resume)
    assert run_row(database, run)["state_name"] == "Paused"


def test_two_callers_may_use_the_same_key(database: Database) -> None:
    flow = register(database).flow_id
    made = {schedules.create(database, replace(who, key="k"), flow, mutations.CRON).id for who in (ALICE, BOB, ALICE)}
    assert len(made) == 2
    assert len(rows(database, "select id from schedule")) == 2


def test_a_key_of_another_caller_finds_the_run_of_the_flow(database: Database) -> None:
    request = CreateFlowRun(flow_id=register(database).flow_id, idempotency_key="2026-01-31")
    assert create_run(database, ALICE, request).id == create_run(database, BOB, request).id


def test_all_at_once(database: Database) -> None:
    flow, alice = register(database).flow_id, replace(ALICE, key=KEY)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: schedules.create(database, alice, flow, mutations.CRON).id, range(8)))
    assert len(set(made)) == 1
    assert len(rows(database, "select id from schedule")) == 1


def test_the_header_and_the_field_must_agree(site: Site) -> None:
    body = {"flow_id": str(mutations.flow(site)), "idempotency_key": "a"}
    headers = site.headers("operator")
    refused = site.client.post("/api/v1/flow-runs", json=body, headers=headers | {"Idempotency-Key": "b"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert "differ; send one of them" in refused.json()["message"]
    for sent in (headers, headers | {"Idempotency-Key": "a"}):
        assert site.client.post("/api/v1/flow-runs", json=body, headers=sent).status_code == 201
    assert len(rows(site.database, "select id from flow_run")) == 1


def test_a_graphql_document_with_two_mutations(site: Site) -> None:
    flow = mutations.flow(site)
    create = f'createFlowRun(input: {{flowId: "{flow}"%s}}) {{ flowRun {{ id }} }}'
    both = {"query": f"mutation {{ a: {create % ''} b: {create % ''} }}"}
    headers = site.headers("operator") | {"Idempotency-Key": "k"}
    first = site.client.post("/graphql", json=both, headers=headers).json()
    assert first == site.client.post("/graphql", json=both, headers=headers).json()
    assert first["data"]["a"] != first["data"]["b"]
    one = create % ', idempotencyKey: "same"'
    found = site.data(f"mutation {{ a: {one} b: {one} }}")
    assert found["a"] == found["b"]
    assert len(rows(site.database, "select id from flow_run")) == 3


# --- secrets


def test_a_lost_token_is_answered_again_and_stored_nowhere(site: Site) -> None:
    def send(key: str) -> Any:
        headers = site.headers("admin") | {"Idempotency-Key": key}
        return site.client.post("/api/v1/tokens", json={"name": "ci", "username": "viewer"}, headers=headers)

    first, again = send(KEY).json(), send(KEY).json()
    assert first == again
    secret = first["token"]
    assert site.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).json()["username"] == "viewer"
    stored = repr([rows(site.database, f'select * from "{table}"') for table in metadata.tables])
    assert secret not in stored and KEY not in stored
    assert send("short").status_code == 201
    refused = send("short")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "create one with a random key" in refused.json()["message"]
    assert len(rows(site.database, "select id from api_token where name = 'ci'")) == 2


def test_another_password_is_another_request_and_none_is_stored(site: Site) -> None:
    def send(password: str) -> Any:
        headers = site.headers("admin") | {"Idempotency-Key": KEY}
        return site.client.post("/api/v1/users", json={"username": "dora", "password": password}, headers=headers)

    first, again = send("correct horse battery"), send("correct horse battery")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, first.json())
    assert send("another horse battery").json()["code"] == "key_reused"
    assert "horse" not in repr(rows(site.database, "select * from request_key"))


# --- for how long


@pytest.mark.parametrize(("keep", "days"), [(Keep(), 30), (Keep(events_days=7), 7), (Keep(events_days=0.1), 1)])
def test_keys_are_kept_for_a_month_or_as_long_as_events(
    database: Database, clock: StoppedClock, keep: Keep, days: int
) -> None:
    flow, alice = register(database).flow_id, replace(ALICE, key="k")
    left: Callable[[], int] = lambda: len(rows(database, "select id from request_key"))  # noqa: E731
    schedules.create(database, alice, flow, mutations.CRON)
    clock.move(days * 86_400 - 1)
    Sweep(database, keep, clock.time).run()
    assert left() == 1
    clock.move(2)
    Sweep(database, keep, clock.time).run()
    assert left() == 0
    assert UUID(str(rows(database, "select id from schedule")[0]["id"]))
