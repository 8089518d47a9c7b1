"""The doors to limits, schedules, the disk and maintenance: GraphQL has the same effects and the same refusals as REST."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from appliance.kit import clock
from appliance.server.actions import concurrency, maintenance
from appliance.server.db.rows.schedules import NewSkip
from appliance.server.db.writes.schedules import add_skips
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_backfills import HOURLY

__all__ = ["database", "site"]

Rows = list[dict[str, Any]]


def mutation(name: str, fields: str) -> str:
    kind = name[0].upper() + name[1:]
    return f"mutation($input: {kind}Input!) {{ {name}(input: $input) {{ {fields} }} }}"


LIMIT = "id kind name slots used holders { flowRunId flowRunName since taskSlug mapIndex }"
MAINTENANCE = "maintenance { active since until by reason }"
SET_LIMIT = mutation("setConcurrencyLimit", f"concurrencyLimit {{ {LIMIT} }}")
REMOVE_LIMIT = mutation("removeConcurrencyLimit", "concurrencyLimitId")
EDIT_SCHEDULE = mutation(
    "editSchedule", "schedule { id active document parameters labels catchUp catchUpCap catchUpWindow overlap origin }"
)
CREATE_SCHEDULE = mutation("createSchedule", "schedule { id active document parameters overlap origin }")
FREE_SPACE = mutation("freeSpace", "deleted { kind count } freedBytes disk { writable freeBytes }")
BEGIN = mutation("beginMaintenance", MAINTENANCE)
END = f"mutation {{ endMaintenance {{ {MAINTENANCE} }} }}"


@dataclass(frozen=True)
class Question:
    """One write by both doors."""

    method: str
    path: str
    body: dict[str, Any] | None
    text: str
    input: dict[str, Any] | None

    def by_rest(self, site: Site, principal: str) -> tuple[str, str]:
        """The code and the sentence of the refusal; both empty if there is none."""
        answer = site.client.request(self.method, self.path, json=self.body, headers=site.headers(principal))
        if answer.status_code < 400:
            return "", ""
        return answer.json()["code"], answer.json()["message"]

    def by_graphql(self, site: Site, principal: str) -> tuple[str, str]:
        answer = site.post("/graphql", {"query": self.text, "variables": {"input": self.input}}, principal).json()
        if "code" in answer:
            return answer["code"], answer["message"]
        if "errors" not in answer:
            return "", ""
        error = answer["errors"][0]
        return error["extensions"]["code"], error["message"]


def put_limit(**fields: Any) -> Question:
    return Question("PUT", "/api/v1/concurrency-limits", fields, SET_LIMIT, fields)


def remove_limit(id: object) -> Question:
    path = f"/api/v1/concurrency-limits/{id}"
    return Question("DELETE", path, None, REMOVE_LIMIT, {"concurrencyLimitId": str(id)})


def edit_schedule(id: object, **fields: Any) -> Question:
    words = [name.split("_") for name in fields]
    camel = ["".join([first, *(word.title() for word in rest)]) for first, *rest in words]
    path = f"/api/v1/schedules/{id}"
    input = {"scheduleId": str(id)} | dict(zip(camel, fields.values(), strict=True))
    return Question("PATCH", path, fields, EDIT_SCHEDULE, input)


def create_schedule(flow: object, document: dict[str, Any], **fields: Any) -> Question:
    body = {"document": document} | fields
    return Question("POST", f"/api/v1/flows/{flow}/schedules", body, CREATE_SCHEDULE, {"flowId": str(flow)} | body)


def free_space(days: float) -> Question:
    return Question("POST", "/api/v1/system/free-space", {"keep_days": days}, FREE_SPACE, {"keepDays": days})


def begin(**fields: Any) -> Question:
    return Question("PUT", "/api/v1/system/maintenance", fields, BEGIN, fields)


END_MAINTENANCE = Question("DELETE", "/api/v1/system/maintenance", None, END, None)


def a_limit(site: Site) -> object:
    return concurrency.put(site.database, builders.ALICE, "label", uuid4().hex, 1).id


def a_flow(site: Site) -> object:
    return builders.register(site.database).flow_id


def a_schedule(site: Site) -> str:
    flow = builders.register(site.database, schedules=[builders.MINUTELY]).flow_id
    return str(site.get(f"/api/v1/schedules?flow_id={flow}").json()["items"][0]["id"])


WRITES: dict[str, tuple[set[str], Callable[[Site], Question]]] = {
    "set a limit": ({"operator", "admin"}, lambda site: put_limit(kind="label", name="etl", slots=2)),
    "remove a limit": ({"operator", "admin"}, lambda site: remove_limit(a_limit(site))),
    "create a schedule": (
        {"operator", "admin"},
        lambda site: create_schedule(a_flow(site), builders.YEARLY, overlap="skip"),
    ),
    "edit a schedule": ({"operator", "admin"}, lambda site: edit_schedule(a_schedule(site), overlap="queue")),
    "free space": ({"admin"}, lambda site: free_space(365)),
    "begin maintenance": ({"admin"}, lambda site: begin(reason="disks")),
    "end maintenance": ({"admin"}, lambda site: END_MAINTENANCE),
}


def test_a_role_may_do_the_same_by_both_doors(site: Site) -> None:
    for write, (allowed, question) in WRITES.items():
        for principal in ("viewer", "operator", "admin", "agent"):
            code = "" if principal in allowed else "forbidden"
            assert question(site).by_rest(site, principal)[0] == code, (write, principal)
            assert question(site).by_graphql(site, principal)[0] == code, (write, principal)


REFUSALS: dict[str, Callable[[Site], Question]] = {
    "a limit of an unknown kind": lambda site: put_limit(kind="agent", name="etl", slots=2),
    "a limit below 0": lambda site: put_limit(kind="label", name="etl", slots=-1),
    "a limit above the maximum": lambda site: put_limit(kind="label", name="etl", slots=100_001),
    "a limit without a name": lambda site: put_limit(kind="label", name="", slots=1),
    "a limit on an unknown flow": lambda site: put_limit(kind="flow", name="demo/none", slots=1),
    "an unknown limit": lambda site: remove_limit(uuid4()),
    "a schedule of an unknown flow": lambda site: create_schedule(uuid4(), builders.YEARLY),
    "a schedule at no time": lambda site: create_schedule(a_flow(site), {"kind": "cron", "cron": "never"}),
    "a schedule in no zone": lambda site: create_schedule(a_flow(site), builders.YEARLY | {"timezone": "Moon"}),
    "an unknown schedule": lambda site: edit_schedule(uuid4(), overlap="queue"),
    "no change of a schedule": lambda site: edit_schedule(a_schedule(site)),
    "an unknown catch-up": lambda site: edit_schedule(a_schedule(site), catch_up="some"),
    "an unknown overlap": lambda site: edit_schedule(a_schedule(site), overlap="maybe"),
    "a cap of 0": lambda site: edit_schedule(a_schedule(site), catch_up_cap=0),
    "a window below 0": lambda site: edit_schedule(a_schedule(site), catch_up_window=-1),
    "a document that is no schedule": lambda site: edit_schedule(a_schedule(site), document={"kind": "never"}),
    "days below 0": lambda site: free_space(-1),
    "too many days": lambda site: free_space(36_501),
    "an end in the past": lambda site: begin(until="2001-01-01T00:00:00Z"),
}


def test_both_doors_refuse_the_same(site: Site) -> None:
    for case, of_site in REFUSALS.items():
        question = of_site(site)
        before = stored(site)
        code, sentence = question.by_rest(site, "admin")
        assert code in ("invalid", "not_found"), case
        refusal = question.by_graphql(site, "admin")
        assert (refusal[0], in_words_of_rest(refusal[1])) == (code, sentence), case
        assert stored(site) == before, case


def in_words_of_rest(sentence: str) -> str:
    """The same refusal: each door writes the names of fields in its own way."""
    return re.sub(r"(?<=^The field )\w+", lambda name: re.sub(r"(?=[A-Z])", "_", name[0]).lower(), sentence)


def stored(site: Site) -> list[Rows]:
    tables = ("concurrency_limit", "schedule", "setting")
    return [builders.rows(site.database, f"select * from {table} order by 1") for table in tables]


def test_a_limit_is_set_listed_and_removed(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    made = site.data(SET_LIMIT, input={"kind": "flow", "name": "demo/etl", "slots": 2})["setConcurrencyLimit"]
    limit = made["concurrencyLimit"]
    assert (limit["kind"], limit["name"], limit["slots"], limit["used"]) == ("flow", "demo/etl", 2, 1)
    assert [holder["flowRunId"] for holder in limit["holders"]] == [str(run)]
    again = site.data(SET_LIMIT, input={"kind": "flow", "name": "demo/etl", "slots": 0})["setConcurrencyLimit"]
    assert again["concurrencyLimit"] == limit | {"slots": 0}
    listed = site.data(f"{{ concurrencyLimits {{ {LIMIT} }} }}", "viewer")["concurrencyLimits"]
    assert listed == [again["concurrencyLimit"]]
    by_rest = site.get("/api/v1/concurrency-limits").json()["items"]
    assert [(one["id"], one["name"], one["slots"], one["used"]) for one in by_rest] == [(limit["id"], "demo/etl", 0, 1)]
    holder, same = by_rest[0]["holders"][0], limit["holders"][0]
    assert (holder["flow_run_id"], holder["flow_run"]) == (same["flowRunId"], same["flowRunName"])
    assert (holder["task_slug"], holder["map_index"]) == (same["taskSlug"], same["mapIndex"]) == (None, -1)
    removed = site.data(REMOVE_LIMIT, input={"concurrencyLimitId": limit["id"]})["removeConcurrencyLimit"]
    assert removed == {"concurrencyLimitId": limit["id"]}
    assert site.data("{ concurrencyLimits { id } }")["concurrencyLimits"] == []


def test_a_refusal_names_the_field_to_correct(site: Site) -> None:
    required = {"name": "region", "required": True, "default": None, "schema": {"type": "string"}}
    flow = builders.register(site.database, uuid4().hex, parameters=[required]).flow_id
    yearly = builders.YEARLY
    for field, document in {
        "parameters": yearly,
        "timezone": yearly | {"timezone": "Moon"},
        "cron": {"kind": "cron", "cron": "no"},
        "seconds": {"kind": "interval", "seconds": 0},
        "dates": {"kind": "dates", "dates": ["soon"]},
    }.items():
        refusal = site.post(f"/api/v1/flows/{flow}/schedules", {"document": document}).json()
        assert refusal["details"]["field"] == field, refusal
    refusal = site.post(f"/api/v1/flows/{flow}/schedules", {"document": yearly}).json()
    assert refusal["details"]["missing"] == ["region"]


def test_a_schedule_is_created(site: Site) -> None:
    input = {"flowId": str(a_flow(site)), "document": builders.YEARLY, "overlap": "queue", "parameters": {}}
    created = site.data(CREATE_SCHEDULE, input=input)["createSchedule"]["schedule"]
    assert (created["active"], created["overlap"], created["origin"]) == (True, "queue", "ui")
    assert site.get(f"/api/v1/schedules/{created['id']}").json()["document"] == created["document"]


def test_a_second_editor_learns_the_version_that_is_there_now(site: Site) -> None:
    id = a_schedule(site)
    site.data(EDIT_SCHEDULE, input={"scheduleId": id, "version": 1, "overlap": "skip"})
    answer = site.graphql(EDIT_SCHEDULE, input={"scheduleId": id, "version": 1, "overlap": "queue"})
    extensions = answer["errors"][0]["extensions"]
    assert (extensions["code"], extensions["version"]) == ("conflict", 2)
    assert site.get(f"/api/v1/schedules/{id}").json()["overlap"] == "skip"


def test_a_schedule_is_edited(site: Site) -> None:
    id = a_schedule(site)

    def edit(**fields: Any) -> Any:
        return site.data(EDIT_SCHEDULE, input={"scheduleId": id} | fields)["editSchedule"]["schedule"]

    policy = {"catchUp": "all", "catchUpCap": 7, "catchUpWindow": 60.5, "overlap": "skip"}
    edited = edit(**policy)
    assert edited["id"] == id and edited["active"] is True and policy.items() <= edited.items()
    by_rest = site.get("/api/v1/schedules").json()["items"][0]
    assert (by_rest["catch_up"], by_rest["catch_up_cap"], by_rest["overlap"]) == ("all", 7, "skip")
    assert edit(catchUpWindow=0) == edited | {"catchUpWindow": None}
    assert edit(overlap="queue") == edited | {"catchUpWindow": None, "overlap": "queue"}, (
        "omitted fields keep their values"
    )
    assert edit(document=HOURLY)["document"] == HOURLY
    refused = site.graphql(EDIT_SCHEDULE, input={"scheduleId": id, "parameters": {"n": 5}})
    assert "no parameter 'n'" in refused["errors"][0]["message"]
    assert edit(parameters={})["parameters"] == {}
    assert edit(active=False)["active"] is False
    kinds = [row["kind"] for row in builders.rows(site.database, "select kind from event order by id")]
    assert kinds[-1] == "schedule.paused", "switching alone is not an edit"
    assert builders.rows(site.database, "select id from flow_run where state_type = 'SCHEDULED'") == []


OWNED = """query($id: UUID!) { flow(id: $id) { schedules { id version origin labels document parameters edits { field value code } } } }"""


def test_fields_of_code_that_were_edited_are_shown_and_go_back(site: Site) -> None:
    """By GraphQL and REST; also a document with `day_or`."""
    declared = {
        "kind": "cron",
        "cron": "0 6 13 * 5",
        "day_or": False,
        "timezone": "UTC",
        "filters": [{"kind": "is_weekday"}],
    }
    flow = builders.register(site.database, schedules=[declared], parameters=[builders.N])

    def shown() -> Any:
        (schedule,) = site.data(OWNED, "viewer", id=str(flow.flow_id))["flow"]["schedules"]
        by_rest = site.get(f"/api/v1/schedules/{schedule['id']}").json()
        assert {name: by_rest[name] for name in schedule} == schedule
        return schedule

    before = shown()
    assert (before["origin"], before["edits"], before["labels"]) == ("code", [], [])
    edit = {
        "scheduleId": before["id"],
        "document": declared | {"day_or": True},
        "parameters": {"n": 3},
        "labels": ["gpu"],
    }
    site.data(EDIT_SCHEDULE, input=edit | {"version": before["version"]})
    assert {item["field"]: (item["value"], item["code"]) for item in shown()["edits"]} == {
        "day_or": (True, False),
        "parameters.n": (3, None),
        "labels.gpu": (True, None),
    }
    assert (
        site.graphql(EDIT_SCHEDULE, input=edit | {"version": before["version"]})["errors"][0]["extensions"]["code"]
        == "conflict"
    )
    back = {"scheduleId": before["id"], "reset": ["day_or", "parameters", "labels"]}
    site.data(EDIT_SCHEDULE, input=back)
    after = shown()
    assert after["edits"] == [] and after["document"] == declared
    missing = site.get(f"/api/v1/schedules/{flow.flow_id}")
    assert missing.status_code == 404 and "no such schedule" in missing.json()["message"]


SKIPS = """query($id: UUID!, $first: Int, $after: String) { scheduleSkips(scheduleId: $id, first: $first, after: $after) {
  items { first last count code reason at scheduleVersion } next } }"""


def skips_of(site: Site, id: str, **page: Any) -> Any:
    return site.data(SKIPS, "viewer", id=id, **page)["scheduleSkips"]


def new_skip(id: str, time: datetime) -> NewSkip:
    return NewSkip(
        schedule_id=UUID(id), version=1, first=time, last=time, count=1, code="late", reason="Too late.", at=time
    )


def test_skips_are_listed_in_pages(site: Site) -> None:
    id = a_schedule(site)
    assert skips_of(site, id, first=1) == {"items": [], "next": None}
    times = [clock.parse(f"2026-01-0{day}T00:00:00Z") for day in (1, 2, 3)]
    with site.database.write() as session:
        add_skips(session, [new_skip(id, time) for time in times])
    newest = skips_of(site, id, first=2)
    assert [item["first"] for item in newest["items"]] == [clock.isoformat(time) for time in reversed(times[1:])]
    oldest = skips_of(site, id, first=2, after=newest["next"])
    assert [item["reason"] for item in oldest["items"]] == ["Too late."] and oldest["next"] is None
    by_rest = site.get(f"/api/v1/schedules/{id}/skips?limit=1").json()["items"][0]
    same = newest["items"][0]
    assert (by_rest["code"], by_rest["schedule_version"]) == (same["code"], same["scheduleVersion"])
    unknown = site.graphql(SKIPS, "viewer", id=str(uuid4()))
    assert unknown["errors"][0]["extensions"]["code"] == "not_found"


def test_space_is_freed(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, builders.line("x"), builders.flow("SUCCESS", "Success"))
    freed = site.data(FREE_SPACE, "admin", input={"keepDays": 0})["freeSpace"]
    assert freed["freedBytes"] >= 0 and freed["disk"]["writable"] is True
    assert all(rows["count"] > 0 for rows in freed["deleted"])
    assert site.data(FREE_SPACE, "admin", input={})["freeSpace"]["disk"] is not None, "the days have a default"


def test_maintenance_begins_and_ends(site: Site) -> None:
    begun = site.data(BEGIN, "admin", input={"reason": "disks", "until": "2099-01-01T00:00:00Z"})
    shown = site.data(f"{{ {MAINTENANCE} }}", "viewer")["maintenance"]
    assert begun["beginMaintenance"]["maintenance"] == shown
    assert (shown["active"], shown["by"], shown["reason"]) == (True, "admin", "disks")
    by_rest = site.get("/api/v1/system/maintenance").json()
    assert (by_rest["active"], by_rest["reason"]) == (True, "disks")
    assert clock.parse(by_rest["until"]) == clock.parse(shown["until"])
    assert site.data(END, "admin")["endMaintenance"]["maintenance"]["active"] is False
    assert maintenance.find(site.database) is None
    assert site.data(END, "admin")["endMaintenance"]["maintenance"]["active"] is False, "ending again changes nothing"
