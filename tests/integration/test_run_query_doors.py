"""The filter of runs as text through REST, GraphQL, the command line, and bulk actions: the same runs, or the same refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from appliance.cli.root import invoke
from appliance.kit.ids import uuid7
from appliance.server.db.tables import metadata
from tests.integration import builders
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run
from tests.integration.test_run_filter_doors import NOW, QUERY, filled

__all__ = ["address", "database", "filled", "run", "site"]

CASES = [
    ("", "bay fir nut oak fig elm ash"),
    ("state:failed,late", "bay elm ash"),
    ("state:waiting", "yew bay"),
    ("state:timed-out", "ash"),
    ("is:planned", "yew"),
    ("flow:e*", "nut oak fig elm ash"),
    ("flow:ops/*", "nut fig"),
    ("flow:*/LOAD state:running", "fir"),
    ("flow:etl project:ops", "nut fig"),
    ("fi", "fir fig"),
    ("name:fig", "fig"),
    ("label:gpu,north", "elm"),
    ("param.region:eu since:2d", "fir oak"),
    ('param.n:"1"', "ash"),
    ("duration:>10m duration:<30m", "fir elm"),
    ("started:>20h started:<10h", "ash"),
    ("agent:edge-*", "elm"),
    ("version:1 state:running", "fir"),
    ("version:2", ""),
    ("by:zoe", "oak"),
    ("by:schedule", ""),
    ('error:"http 503"', "elm ash"),
    ("error:503 state:crashed", "elm"),
]
WRONG = [
    ("stat:failed", "There is no filter 'stat'; did you mean 'state'?"),
    ("state:faild", "There is no state 'faild'; did you mean 'Failed'?"),
    ("flow:elt", "There is no flow 'elt'; did you mean 'etl'?"),
    ("flow:x*", "There is no flow 'x*'; the flows are etl, load."),
    ("agent:egde-1", "There is no agent 'egde-1'; did you mean 'edge-1'?"),
    ("label:gpus", "There is no label 'gpus'; did you mean 'gpu'?"),
    ("param.n:[1]", "the list or object in parameter 'n'"),
    ("since:1d until:2d", "since `since` is not before `until`"),
]


@pytest.fixture(autouse=True)
def described(site: Site, filled: None) -> None:
    """Two runs have failed for a reason, one on an agent, and one was started by another person."""
    agent = builders.enrol(site.database, "edge-1")
    with site.database.write() as session:
        table, task = (metadata.tables[name] for name in ("flow_run", "task_run"))
        elm = session.execute(select(table.c.id).where(table.c.name == "elm")).scalar_one()
        session.execute(
            table.update().where(table.c.name == "elm").values(agent_id=agent, state_message="1 task failed")
        )
        session.execute(table.update().where(table.c.name == "ash").values(state_message="HTTP 503 from upstream"))
        session.execute(table.update().where(table.c.name == "oak").values(created_by="zoe"))
        values = {
            "task_slug": "extract-1",
            "state_type": "FAILED",
            "state_name": "Failed",
            "state_message": "got HTTP 503",
        }
        values |= {"id": uuid7(), "state_at": NOW - timedelta(days=3), "created": NOW}
        session.execute(task.insert().values(flow_run_id=elm, **values))


def test_all_doors_find_the_same_runs(site: Site, run: Callable[..., str]) -> None:
    wrong = []
    for text, expected in CASES:
        answer = site.get("/api/v1/flow-runs", params={"q": text})
        by_rest = [item["name"] for item in answer.json().get("items", [])] or answer.json().get("message", [])
        page = site.data(QUERY, filter={"q": text})["flowRuns"]
        by_graphql = [item["name"] for item in page["items"]]
        by_command = [item["name"] for item in msgspec.json.decode(run("get", "flow-runs", "--json", "--query", text))]
        if not by_rest == by_graphql == by_command == expected.split() or page["total"] != len(by_graphql):
            wrong.append((text, by_rest, by_graphql, by_command, expected))
    assert wrong == []


def test_all_doors_refuse_what_can_only_be_wrong(site: Site, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for text, sentence in WRONG:
        answer = site.get("/api/v1/flow-runs", params={"q": text})
        assert answer.status_code in (400, 422), text
        refused = site.graphql(QUERY, filter={"q": text})["errors"][0]
        assert invoke(["get", "flow-runs", "--query", text]) == 2, text
        said = [answer.json()["message"], refused["message"], capsys.readouterr().err]
        wrong += [(text, one) for one in said if sentence.casefold() not in one.casefold()]
    assert wrong == []
    assert refused_token(site, "otter stat:failed") == "stat:failed"


def refused_token(site: Site, text: str) -> Any:
    return site.graphql(QUERY, filter={"q": text})["errors"][0]["extensions"]["token"]


def test_a_bulk_action_takes_a_query(site: Site, run: Callable[..., str]) -> None:
    for text in ("", "  "):
        answer = site.post("/api/v1/bulk", {"action": "cancel", "filter": {"q": text}})
        assert "no conditions" in answer.json()["message"]
    mixed = site.post("/api/v1/bulk", {"action": "cancel", "filter": {"q": "fir", "flow": "load"}})
    assert mixed.status_code == 400
    narrowed = site.data(QUERY, filter={"q": "flow:load", "stateTypes": ["RUNNING"]})["flowRuns"]["items"]
    assert narrowed == [{"name": "fir"}]
    told = run("bulk", "cancel", "--yes", "--json", "--query", "param.region:eu duration:>10m state:running,late")
    cancelled = builders.rows(site.database, "select name from flow_run where state_type like 'CANCEL%' order by name")
    assert cancelled == [{"name": "fir"}, {"name": "nut"}], told
