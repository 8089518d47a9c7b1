"""Every filter and order of runs through REST, GraphQL and the command line: the same runs, or the same refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.kit import clock
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests.integration import builders
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
_run = metadata.tables["flow_run"]
RUNS: dict[str, tuple[str, str, str, int, int | None, int | None]] = {
    # name: flow, type, state, due, started, ended: minutes before now
    "oak": ("finance/etl", "SUCCESS", "Success", 1440, 1440, 1439),
    "elm": ("finance/etl", "FAILED", "Crashed", 4320, 4320, 4300),
    "ash": ("finance/etl", "FAILED", "TimedOut", 14400, 700, 580),
    "fir": ("finance/load", "RUNNING", "Running", 15, 15, None),
    "yew": ("finance/load", "SCHEDULED", "Scheduled", -1440, None, None),
    "bay": ("finance/load", "SCHEDULED", "Late", 5, None, None),
    "fig": ("ops/etl", "SUCCESS", "Success", 2880, 2870, 2860),
    "nut": ("ops/etl", "CANCELLED", "Cancelled", 120, None, None),
}
LABELS = {"oak": ["gpu"], "elm": ["gpu", "north"], "fir": ["north"]}
PARAMETERS: dict[str, dict[str, Any]] = {
    "oak": {"region": "eu", "n": 1},
    "elm": {"region": "us", "n": True},
    "ash": {"region": "eu", "n": "1"},
    "fir": {"region": "eu", "rate": 0.5},
    "fig": {"n": None},
}

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    # REST, GraphQL, command line: runs
    ("", {}, "", "bay fir nut oak fig elm ash"),
    ("include_future=true", {"includeFuture": True}, "--include-future", "yew bay fir nut oak fig elm ash"),
    ("state=FAILED", {"stateTypes": ["FAILED"]}, "--state FAILED", "elm ash"),
    ("state=TimedOut", {"stateNames": ["TimedOut"]}, "--state TimedOut", "ash"),
    ("state=Late&state=Crashed", {"stateNames": ["Late", "Crashed"]}, "--state Late --state Crashed", "bay elm"),
    ("state=FAILED&state=Crashed", {"stateTypes": ["FAILED"], "stateNames": ["Crashed"]}, "--state FAILED --state Crashed", "elm ash"),
    ("state=RUNNING&state=Late", {"stateTypes": ["RUNNING"], "stateNames": ["Late"]}, "--state RUNNING --state Late", "bay fir"),
    ("state=SUCCESS&state=Late&sort=scheduled_time", {"stateTypes": ["SUCCESS"], "stateNames": ["Late"], "sort": "SCHEDULED_TIME_ASC"},
     "--state SUCCESS --state Late --sort scheduled_time", "fig oak bay"),
    ("state=RUNNING&state=Crashed&flow=etl", {"stateTypes": ["RUNNING"], "stateNames": ["Crashed"], "flow": "etl"},
     "--state RUNNING --state Crashed --flow etl", "elm"),
    ("state=PAUSED", {"stateTypes": ["PAUSED"]}, "--state PAUSED", ""),
    ("flow=etl", {"flow": "etl"}, "--flow etl", "nut oak fig elm ash"),
    ("flow=ops/etl", {"flow": "ops/etl"}, "--flow ops/etl", "nut fig"),
    ("project=ops", {"project": "ops"}, "--project ops", "nut fig"),
    ("project=finance&flow=etl", {"project": "finance", "flow": "etl"}, "--project finance --flow etl", "oak elm ash"),
    ("name=fig", {"name": "fig"}, "--name fig", "fig"),
    ("name=fi", {"name": "fi"}, "--name fi", ""),
    ("text=fi", {"text": "fi"}, "--text fi", "fir fig"),
    ("text=loa", {"text": "loa"}, "--text loa", "bay fir"),
    ("since=2026-02-28T08:00:00Z", {"since": "2026-02-28T08:00:00Z"}, "--since 2026-02-28T08:00:00Z", "bay fir nut oak fig"),
    ("since=2d", {"since": "2026-02-28T08:00:00Z"}, "--since 2d", "bay fir nut oak fig"),
    ("until=2d", {"until": "2026-02-28T08:00:00Z"}, "--until 2d", "elm ash"),
    ("since=3d&until=1d", {"since": "2026-02-27T08:00:00Z", "until": "2026-03-01T08:00:00Z"}, "--since 3d --until 1d", "fig elm"),
    ("label=gpu", {"labels": ["gpu"]}, "--label gpu", "oak elm"),
    ("label=gpu&label=north", {"labels": ["gpu", "north"]}, "--label gpu --label north", "elm"),
    ("label=gpu&project=ops", {"labels": ["gpu"], "project": "ops"}, "--label gpu --project ops", ""),
    ("parameter=region=eu", {"parameters": {"region": "eu"}}, "-p region=eu", "fir oak ash"),
    ("parameter=n=1", {"parameters": {"n": 1}}, "-p n=1", "oak"),
    ('parameter=n="1"', {"parameters": {"n": "1"}}, '-p n="1"', "ash"),
    ("parameter=n=true", {"parameters": {"n": True}}, "-p n=true", "elm"),
    ("parameter=n=null", {"parameters": {"n": None}}, "-p n=null", "fig"),
    ("parameter=rate=0.5", {"parameters": {"rate": 0.5}}, "-p rate=0.5", "fir"),
    ("parameter=region=eu&parameter=n=1", {"parameters": {"region": "eu", "n": 1}}, "-p region=eu -p n=1", "oak"),
    ("longer_than=10m", {"longerThan": 600}, "--longer-than 10m", "fir elm ash"),
    ("longer_than=10m&flow=etl", {"longerThan": 600, "flow": "etl"}, "--longer-than 10m --flow etl", "elm ash"),
    ("shorter_than=900", {"shorterThan": 900}, "--shorter-than 900", "oak fig"),
    ("longer_than=60&shorter_than=1200.5", {"longerThan": 60, "shorterThan": 1200.5}, "--longer-than 60 --shorter-than 1200.5", "fir fig elm"),
    ("sort=scheduled_time", {"sort": "SCHEDULED_TIME_ASC"}, "--sort scheduled_time", "ash elm fig oak nut fir bay"),
    ("sort=-start_time", {"sort": "START_TIME_DESC"}, "--sort -start_time", "fir ash oak fig elm"),
    ("sort=start_time", {"sort": "START_TIME_ASC"}, "--sort start_time", "elm fig oak ash fir"),
    ("sort=-end_time", {"sort": "END_TIME_DESC"}, "--sort -end_time", "ash oak fig elm"),
    ("sort=end_time", {"sort": "END_TIME_ASC"}, "--sort end_time", "elm fig oak ash"),
    ("sort=end_time&flow=finance/etl&state=FAILED&since=4d&label=gpu&parameter=region=us&longer_than=1m",
     {"sort": "END_TIME_ASC", "flow": "finance/etl", "stateTypes": ["FAILED"], "since": "2026-02-26T08:00:00Z", "labels": ["gpu"],
      "parameters": {"region": "us"}, "longerThan": 60},
     "--sort end_time --flow finance/etl --state FAILED --since 4d --label gpu -p region=us --longer-than 1m", "elm"),
]  # fmt: skip
WRONG: list[tuple[str, dict[str, Any] | None, str, str]] = [
    # REST, GraphQL, command line: what all of them say
    ("state=failed", {"stateNames": ["failed"]}, "--state failed", "There is no state 'failed'; did you mean 'Failed'?"),
    ("state=Crashd", {"stateNames": ["Crashd"]}, "--state Crashd", "There is no state 'Crashd'; did you mean 'Crashed'?"),
    ("state=RUNING", {"stateTypes": ["RUNING"]}, "--state RUNING", "There is no state 'RUNING'; did you mean 'RUNNING'?"),
    ("flow=elt", {"flow": "elt"}, "--flow elt", "There is no flow 'elt'; did you mean 'etl'?"),
    ("flow=zzz", {"flow": "zzz"}, "--flow zzz", "There is no flow 'zzz'; the flows are etl, load."),
    ("flow=ops/etll", {"flow": "ops/etll"}, "--flow ops/etll", "There is no flow 'ops/etll'; did you mean 'ops/etl'?"),
    ("flow=load&project=ops", {"flow": "load", "project": "ops"}, "--flow load --project ops", "There is no flow 'load' in project 'ops'; its flows are etl."),
    ("project=finanze", {"project": "finanze"}, "--project finanze", "There is no project 'finanze'; did you mean 'finance'?"),
    ("label=gpus", {"labels": ["gpus"]}, "--label gpus", "There is no label 'gpus'; did you mean 'gpu'?"),
    ("label=gpu&label=zzz", {"labels": ["gpu", "zzz"]}, "--label gpu --label zzz", "There is no label 'zzz'; the labels are declared, edge, gpu, north."),
    ("parameter=regoin=eu", {"parameters": {"regoin": "eu"}}, "-p regoin=eu", "There is no parameter 'regoin'; did you mean 'region'?"),
    ("parameter=n=[1]", {"parameters": {"n": [1]}}, "-p n=[1]", "the list or object in parameter 'n'"),
    ("since=1d&until=2d", {"since": "2026-03-01T08:00:00Z", "until": "2026-02-28T08:00:00Z"}, "--since 1d --until 2d", "since `since` is not before `until`"),
    ("longer_than=60&shorter_than=60", {"longerThan": 60, "shorterThan": 60}, "--longer-than 60 --shorter-than 60", "`longer_than` is not less than `shorter_than`"),
    ("name=", {"name": ""}, "", "name is empty"),
    ("shorter_than=0", {"shorterThan": 0}, "--shorter-than 0", "`shorter_than` is not more than 0"),
    ("longer_than=-1", {"longerThan": -1}, "--longer-than -1", "length of time"),
    ("label=gpu&parameter=zzz=1&flow=load", {"labels": ["gpu"], "parameters": {"zzz": 1}, "flow": "load"}, "--label gpu -p zzz=1 --flow load", "There is no parameter 'zzz'; the parameters are n, rate, region."),
    ("flow=etl&flow=load", None, "--flow etl --flow load", "twice"),
    ("sort=end_time&sort=start_time", None, "", "'sort' is given twice"),
    ("parameter=n=1&parameter=n=2", None, "-p n=1 -p n=2", "twice"),
    ("since=2020", None, "--since 2020", "'2020' is not a time"),
    ("since=yesterday", None, "--since yesterday", "'yesterday' is not a time"),
    ("longer_than=10x", None, "--longer-than 10x", "'10x' is not a length of time; write it like 90s, 10m, 2h, or 7d."),
    ("sort=-start", {"sort": "START"}, "--sort -start", "start"),
    ("parameter=region", None, "-p region", "'region' is not in the form"),
    ("stat=FAILED", {"stat": "x"}, "--stat FAILED", "stat"),
    ("text=a%00b", None, "", "no NUL"),
    ("name=" + "x" * 501, {"name": "x" * 501}, "--name " + "x" * 501, "too long"),
    ("&".join(["label=x"] * 51), {"labels": ["x"] * 51}, "--label x " * 51, "too many labels"),
]  # fmt: skip
QUERY = "query($filter: FlowRunFilter, $sort: FlowRunSort) { flowRuns(filter: $filter, sort: $sort, first: 200) { items { name } total next } }"


@pytest.fixture(autouse=True)
def filled(site: Site) -> Iterator[None]:
    """Two projects with runs of every kind, at a time that stands still."""
    with clock.stopped(lambda: NOW):
        fill(site.database)
        yield


def fill(database: Database) -> None:
    ids = {
        f"{project}/{name}": builders.register(database, name, project=project, labels=["declared"]).flow_id
        for project, name in (("finance", "etl"), ("finance", "load"), ("ops", "etl"))
    }
    builders.enrol(database, labels=["edge"])
    for name, (flow, type, state, *minutes) in RUNS.items():
        due, start, end = (None if ago is None else NOW - timedelta(minutes=ago) for ago in minutes)
        run = builders.create(database, ids[flow], name=name, labels=LABELS.get(name, []))
        values = {"state_type": type, "state_name": state, "scheduled_time": due, "start_time": start, "end_time": end}
        with database.write() as session:
            table = _run.update().where(_run.c.id == run)
            session.execute(table.values(parameters=PARAMETERS.get(name, {}), attempt=int(start is not None), **values))


def arguments(graphql: dict[str, Any]) -> dict[str, Any]:
    return {"filter": {name: value for name, value in graphql.items() if name != "sort"}, "sort": graphql.get("sort")}


def query(rest: str) -> str:
    return quote(rest, safe="=&%")


def test_all_doors_find_the_same_runs(site: Site, run: Callable[..., str]) -> None:
    wrong = []
    for rest, graphql, command, expected in CASES:
        answer = site.get(f"/api/v1/flow-runs?{query(rest)}")
        by_rest = (
            [item["name"] for item in answer.json().get("items", [])] if answer.status_code == 200 else answer.text
        )
        page = site.data(QUERY, **arguments(graphql))["flowRuns"]
        by_graphql = [item["name"] for item in page["items"]]
        listed = run("get", "flow-runs", "--json", *command.split())
        by_command = [item["name"] for item in msgspec.json.decode(listed)]
        if not by_rest == by_graphql == by_command == expected.split() or page["total"] != len(by_graphql):
            wrong.append((rest, by_rest, by_graphql, by_command, expected))
    assert wrong == []


def test_all_doors_go_through_pages_in_every_order(site: Site) -> None:
    for rest, _graphql, _command, expected in CASES:
        found: list[str] = []
        after = ""
        while after is not None:
            page = site.get(f"/api/v1/flow-runs?limit=2&{query(rest)}{after and '&after=' + after}").json()
            found += [item["name"] for item in page["items"]]
            after = page["next"]
        assert found == expected.split(), rest


def test_all_doors_refuse_what_can_only_be_wrong(site: Site, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for rest, graphql, command, sentence in WRONG:
        answer = site.get(f"/api/v1/flow-runs?{rest if '%' in rest else query(rest)}")
        said = [answer.json()["message"]]
        assert answer.status_code in (400, 422), rest
        if graphql is not None:
            said.append(site.graphql(QUERY, **arguments(graphql))["errors"][0]["message"])
        if command:
            assert invoke(["get", "flow-runs", *command.split()]) == 2, command
            said.append(capsys.readouterr().err)
        wrong += [(rest, one) for one in said if sentence.casefold() not in one.casefold()]
    assert wrong == []


def test_an_id_of_a_flow_and_another_name_contradict_each_other(site: Site) -> None:
    (load,) = (one for one in site.get("/api/v1/flows").json()["items"] if one["name"] == "load")
    assert site.get(f"/api/v1/flow-runs?flow_id={load['id']}&flow=finance/load").json()["items"]
    for other in ("flow=etl", "project=ops", "flow=ops/etl"):
        answer = site.get(f"/api/v1/flow-runs?flow_id={load['id']}&{other}")
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_name")
        assert "another flow" in answer.json()["message"]


def test_a_bulk_action_refuses_what_can_only_be_wrong(site: Site, run: Callable[..., str]) -> None:
    for filter in (
        {"states": ["failed"]},
        {"flow": "elt"},
        {"project": "finanze"},
        {"labels": ["gpus"]},
        {"parameters": {"regoin": "eu"}},
    ):
        answer = site.post("/api/v1/bulk", {"action": "cancel", "filter": filter})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_name")
    for body, sentence in (
        ({"action": "cancel", "filter": {"stat": ["Failed"]}}, "unknown field `stat`; did you mean 'states'?"),
        (
            {"action": "cancel", "filter": {"zzz": 1}},
            "unknown field `zzz`; it takes flow, flow_id, include_future, labels,",
        ),
        ({"action": "cancle", "filter": {}}, "did you mean 'cancel'?"),
        ({"action": "cancel", "fliter": {}}, "did you mean 'filter'?"),
    ):
        answer = site.post("/api/v1/bulk", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert sentence in answer.json()["message"]
    told = run(
        "bulk", "cancel", "--yes", "--json", "--run-label", "north", "--run-param", "region=eu", "--longer-than", "10m"
    )
    cancelled = builders.rows(site.database, "select name from flow_run where state_type like 'CANCEL%' order by name")
    assert cancelled == [{"name": "fir"}, {"name": "nut"}], told


def test_a_list_goes_on_behind_pages_that_are_short(site: Site, run: Callable[..., str], monkeypatch: Any) -> None:
    monkeypatch.setattr("appliance.server.db.reads.run_lists.ROW_WINDOW", 2)
    monkeypatch.setattr("appliance.server.db.reads.run_lists.ROW_LEAST", 2)
    listed = msgspec.json.decode(run("get", "flow-runs", "--json", "-p", "region=us", "--limit", "5"))
    assert [item["name"] for item in listed] == ["elm"]
