"""REST: what scripts do from end to end, pages, and bad input answered with a sentence that names the field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from appliance.kit import clock, ids
from appliance.server.actions import schedules
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]


def _registration(**fields: Any) -> dict[str, Any]:
    return {
        "project": "demo",
        "name": "etl",
        "content_hash": ids.sha256("x"),
        "document": builders.document(parameters=[builders.N]),
        "storage": {"type": "local", "path": "etl.py"},
    } | fields


def test_register_create_read_cancel(site: Site) -> None:
    first = site.post("/api/v1/flows", _registration())
    again = site.post("/api/v1/flows", _registration())
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    flow = site.get(f"/api/v1/flows/{first.json()['flow_id']}").json()
    assert (flow["name"], flow["project"], flow["version"]) == ("etl", "demo", 1)
    run = site.post("/api/v1/flow-runs", {"project": "demo", "flow": "etl", "parameters": {"n": 3}})
    assert run.status_code == 201 and run.json()["parameters"] == {"n": 3}
    path = f"/api/v1/flow-runs/{run.json()['id']}"
    assert site.get(path).json()["state"] == "Scheduled"
    cancelled = site.post(f"{path}/cancel", {"reason": "wrong day"})
    assert cancelled.status_code == 200 and cancelled.json()["state_type"] == "CANCELLED"
    states = site.get(f"{path}/states").json()["items"]
    assert [(state["version"], state["type"]) for state in states] == [(1, "SCHEDULED"), (2, "CANCELLED")]


def test_the_run_protocol_over_http(site: Site) -> None:
    builders.register(site.database)
    run = site.post("/api/v1/flow-runs", {"project": "demo", "flow": "etl"}).json()["id"]
    agent = site.post("/api/v1/agents", {"name": "edge", "type": "process"}, "agent").json()["agent_id"]
    work = site.post(f"/api/v1/agents/{agent}/claim", {"free_slots": 1}, "agent").json()["work"]
    site.tokens["run"] = work[0]["run_token"]
    path = f"/api/v1/flow-runs/{run}"
    assert site.post(f"{path}/begin", {"attempt": 1}, "run").json()["verdict"] == "go"
    now = clock.isoformat(clock.now())
    events = [
        {"kind": "log", "at": now, "level": "ERROR", "logger": "flow", "message": "</script> ü"},
        {"kind": "task", "slug": "extract-1", "type": "SUCCESS", "name": "Success", "at": now},
        {"kind": "flow", "type": "SUCCESS", "name": "Success", "at": now},
    ]
    for _ in range(2):  # sent again when the answer was lost, also after the run's end
        answer = site.post(f"{path}/report", {"attempt": 1, "seq": 1, "events": events}, "run")
        assert answer.status_code == 200 and answer.json()["acked"] == 1
    assert site.get(path).json()["state_type"] == "SUCCESS"
    assert [item["task_slug"] for item in site.get(f"{path}/task-runs").json()["items"]] == ["extract-1"]
    assert site.get(f"{path}/logs?level=ERROR").json()["items"][0]["message"] == "</script> ü"
    download = site.get(f"{path}/logs/download")
    assert "ERROR flow: </script> ü\n" in download.text and download.headers["content-type"].startswith("text/plain")
    assert download.headers["content-disposition"].startswith("attachment")


def test_runs_come_in_pages_newest_first_without_repeats(site: Site) -> None:
    flow = builders.register(site.database).flow_id
    moment = clock.now()
    with clock.stopped(lambda: moment):  # all at the same instant: the id decides
        made = [str(builders.create(site.database, flow)) for _ in range(7)]
    seen: list[str] = []
    after = ""
    while after is not None:
        page = site.get(f"/api/v1/flow-runs?limit=3{'&after=' + after if after else ''}").json()
        seen += [item["id"] for item in page["items"]]
        if len(seen) == 3:
            builders.create(site.database, flow)  # a newer one doesn't shift the pages
        after = page["next"]
    assert seen == sorted(made, reverse=True)


def test_runs_are_filtered(site: Site) -> None:
    one = builders.register(site.database, "one").flow_id
    two = builders.register(site.database, "two").flow_id
    wanted, other = builders.create(site.database, one), builders.create(site.database, two)
    later = builders.create(site.database, one, scheduled_time=clock.now() + timedelta(hours=1))

    def ids_of(query: str) -> set[str]:
        return {item["id"] for item in site.get(f"/api/v1/flow-runs?{query}").json()["items"]}

    assert ids_of("") == {str(wanted), str(other)}
    assert ids_of("flow=one") == {str(wanted)}
    assert ids_of("flow=one&include_future=true") == {str(wanted), str(later)}
    assert ids_of("state=SCHEDULED") == {str(wanted), str(other), str(later)}
    assert ids_of("state=Scheduled&project=demo") == {str(wanted), str(other), str(later)}
    assert ids_of("state=FAILED") == set()


def test_log_pages_go_on_where_they_ended(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, *(builders.line(f"line {n}") for n in range(5)))
    first = site.get(f"/api/v1/flow-runs/{run}/logs?limit=3").json()
    second = site.get(f"/api/v1/flow-runs/{run}/logs?limit=3&after={first['next']}").json()
    assert [item["message"] for item in first["items"] + second["items"]] == [f"line {n}" for n in range(5)]
    nothing = site.get(f"/api/v1/flow-runs/{run}/logs?after={second['next']}").json()
    assert nothing["items"] == [] and nothing["next"] == second["next"]
    builders.send(site.database, run, 2, builders.line("later"))
    later = site.get(f"/api/v1/flow-runs/{run}/logs?after={nothing['next']}").json()
    assert [item["message"] for item in later["items"]] == ["later"]


def test_all_schedules_are_listed_page_by_page_with_their_flows(site: Site) -> None:
    registered = [builders.register(site.database, name, schedules=[builders.MINUTELY]) for name in ("a", "b", "c")]
    found, after = [], ""
    while after is not None:
        page = site.get(f"/api/v1/schedules?limit=2{after and '&after=' + after}").json()
        assert len(page["items"]) <= 2
        found.extend(page["items"])
        after = page["next"]
    assert [(item["project"], item["flow"]) for item in found] == [("demo", "a"), ("demo", "b"), ("demo", "c")]
    assert all(item["description"] and len(item["next_times"]) == 3 for item in found)
    (one,) = site.get(f"/api/v1/schedules?flow_id={registered[1].flow_id}").json()["items"]
    assert one == found[1] | {"next_times": one["next_times"]}
    assert site.get("/api/v1/schedules?after=x").json()["code"] == "invalid"


def test_schedules_are_added_changed_and_deleted(site: Site) -> None:
    flow = builders.register(site.database).flow_id
    made = site.post(f"/api/v1/flows/{flow}/schedules", {"document": builders.MINUTELY})
    assert made.status_code == 201 and len(made.json()["next_times"]) == 3
    path = f"/api/v1/schedules/{made.json()['id']}"
    headers = site.headers("operator")
    off = site.client.patch(path, json={"active": False}, headers=headers).json()
    assert off["active"] is False and off["next_times"] == []
    nothing = site.client.patch(path, json={}, headers=headers)
    assert nothing.status_code == 400 and "active" in nothing.json()["message"]
    assert site.client.delete(path, headers=headers).status_code == 204
    assert site.get(f"/api/v1/schedules?flow_id={flow}").json()["items"] == []


BAD: list[tuple[str, bytes, str]] = [
    ("/api/v1/flow-runs", b"{", "JSON"),
    ("/api/v1/flow-runs", b"[]", "object"),
    ("/api/v1/flow-runs", b"null", "object"),
    ("/api/v1/flow-runs", b"\xff\xfe", "JSON"),
    ("/api/v1/flow-runs", b'{"parameters": NaN}', "JSON"),
    ("/api/v1/flow-runs", b"[" * 100_000, "object"),
    ("/api/v1/flow-runs", b'{"parameters": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", "deep"),
    ("/api/v1/flow-runs", b"{}", "flow"),
    ("/api/v1/flow-runs", b'{"flow_id": "x"}', "flow_id"),
    ("/api/v1/flow-runs", b'{"flow_id": 1}', "flow_id"),
    ("/api/v1/flow-runs", b'{"nonsense": 1}', "nonsense"),
    ("/api/v1/flow-runs", b'{"project": "demo", "flow": "etl", "parameters": {"n": "three"}}', "n"),
    ("/api/v1/flow-runs", b'{"project": "demo", "flow": "etl", "parameters": {"m": 3}}', "m"),
    ("/api/v1/flow-runs", b'{"project": "demo", "flow": "etl", "scheduled_time": "2026-01-01T00:00:00"}', "offset"),
    ("/api/v1/flow-runs", b'{"project": "demo", "flow": "etl", "idempotency_key": ""}', "idempotency"),
    ("/api/v1/flows", b"{}", "project"),
    ("/api/v1/flows", b'{"project": "demo", "name": "x", "content_hash": "y", "document": {}, "storage": {}}', "hash"),
]


def test_bad_bodies_are_refused_with_a_sentence(site: Site) -> None:
    builders.register(site.database, parameters=[builders.N])
    headers = site.headers("operator") | {"Content-Type": "application/json"}
    for path, body, word in BAD:
        answer = site.client.post(path, content=body, headers=headers)
        assert answer.status_code == 400, (body[:100], answer.text)
        message = answer.json()["message"]
        assert word in message and len(message) < 1000 and message.endswith("."), (body[:100], message)
    assert builders.rows(site.database, "select id from flow_run") == []


def test_bad_pages_are_refused(site: Site) -> None:
    for query in (
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1e3",
        "after=x",
        "after=YWJj",
        f"after={'a' * 3000}",
    ):
        answer = site.get(f"/api/v1/flow-runs?{query}")
        assert answer.status_code == 400 and answer.json()["message"].endswith("."), query


def test_what_does_not_exist_is_not_found(site: Site) -> None:
    for path in (
        f"flow-runs/{uuid4()}",
        f"flow-runs/{uuid4()}/logs",
        f"flows/{uuid4()}",
        f"flow-runs/{uuid4()}/states",
    ):
        answer = site.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert site.post(f"/api/v1/flow-runs/{uuid4()}/cancel", {}).status_code == 404
    assert site.post("/api/v1/flow-runs", {"project": "demo", "flow": "none"}).status_code == 404


def test_the_same_key_gives_the_same_run(site: Site) -> None:
    builders.register(site.database)
    body = {"project": "demo", "flow": "etl", "idempotency_key": "order-7"}
    assert site.post("/api/v1/flow-runs", body).json()["id"] == site.post("/api/v1/flow-runs", body).json()["id"]


def test_schedules_have_policies_and_tell_their_skips(site: Site) -> None:
    flow = builders.register(site.database).flow_id
    made = site.post(
        f"/api/v1/flows/{flow}/schedules",
        {"document": builders.MINUTELY, "catch_up": "none", "overlap": "skip", "catch_up_window": 60.5},
        "operator",
    ).json()
    assert (made["catch_up"], made["overlap"], made["catch_up_window"]) == ("none", "skip", 60.5)
    path = f"/api/v1/schedules/{made['id']}"
    changed = site.client.patch(
        path, json={"overlap": "queue", "catch_up_window": 0}, headers=site.headers("operator")
    ).json()
    assert (changed["catch_up"], changed["overlap"], changed["catch_up_window"]) == ("none", "queue", None)
    assert site.client.patch(path, json={"overlap": "sometimes"}, headers=site.headers("operator")).status_code == 400
    later = clock.now() + timedelta(minutes=90)
    for number in range(3):
        schedules.keep_ahead(site.database, [UUID(made["id"])], now=later + timedelta(minutes=30 * number))
    first = site.get(f"{path}/skips?limit=2", "viewer").json()
    rest = site.get(f"{path}/skips?limit=2&after={first['next']}", "viewer").json()
    counts = [item["count"] for item in first["items"] + rest["items"]]
    assert rest["next"] is None and counts[:2] == [30, 30]
    assert counts[2] in (90, 91)  # also of what had been planned, and of a minute that has just begun
    assert "catch-up policy" in first["items"][0]["reason"]
    assert site.get(f"{path}/skips?after=x", "viewer").status_code == 400
    assert site.get(f"/api/v1/schedules/{flow}/skips", "viewer").status_code == 404
