"""The doors to the search in the lines of all runs: REST, GraphQL, the client, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from appliance.cli.root import invoke
from appliance.client import logs as client
from appliance.client.errors import Refused
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.logs import INCOMPLETE
from appliance.server.db.reads import log_search
from appliance.server.db.writes import settings as write_settings
from tests.integration import builders
from tests.integration.lasting import address, database, site, transport
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run
from tests.integration.test_log_search import written

__all__ = ["address", "database", "run", "site", "transport"]

QUERY = """query($t: String!, $f: LogSearchFilter, $n: Int, $a: String) { logSearch(text: $t, filter: $f, first: $n, after: $a) {
items { id at level logger message stream taskSlug mapIndex flowRunId runName flow project } next complete } }"""


@pytest.fixture
def runs(site: Site) -> tuple[UUID, UUID]:
    """Two runs: of `etl` with a warning and an escape sequence, and of `other`."""
    first = written(site.database, "connection refused", "\x1b[2J connection\u202e lost", level="WARNING")
    return first, written(site.database, "connection of another", name="other")


def rest(site: Site, query: str, code: int = 200, principal: str = "viewer") -> Any:
    answer = site.client.get(f"/api/v1/logs{query}", headers=site.headers(principal))
    assert answer.status_code == code, answer.text
    return answer.json()


def test_rest(site: Site, runs: tuple[UUID, UUID]) -> None:
    page = rest(site, "?text=connection&limit=2")
    assert page["items"][0]["message"] == "connection of another" and page["complete"] is True
    rest_of = rest(site, f"?text=connection&limit=2&after={page['next']}")
    assert rest_of["next"] is None
    [item] = rest_of["items"]
    assert (item["message"], item["level"], item["flow_run_id"]) == ("connection refused", "WARNING", str(runs[0]))
    assert (item["flow"], item["project"], item["map_index"], item["task_slug"]) == ("etl", "demo", -1, None)
    assert item["run_name"] == builders.run_row(site.database, runs[0])["name"]
    assert len(rest(site, "?text=connection&flow=demo/etl&level=warning&since=1h")["items"]) == 2
    assert rest(site, "?text=connection&level=error&until=1h")["items"] == []
    flow = builders.register(site.database, "other").flow_id
    assert len(rest(site, f"?text=conn&flow_id={flow}&project=demo")["items"]) == 1


def test_rest_refuses_what_it_cannot_do(site: Site, runs: tuple[UUID, UUID]) -> None:
    assert "add text=WORDS" in str(rest(site, "", 400))
    assert "has no word; use letters or digits" in str(rest(site, "?text=%22%20*", 400))
    assert "too long; use at most 200 characters" in str(rest(site, "?text=" + "x" * 201, 400))
    assert "too many words" in str(rest(site, "?text=" + "x+" * 11, 400))
    assert "did you mean 'etl'" in str(rest(site, "?text=x&flow=elt", 422))
    assert "level must be" in str(rest(site, "?text=x&level=loud", 400))
    assert "between 1 and 200 items" in str(rest(site, "?text=x&limit=201", 400))
    assert "cursor is not valid" in str(rest(site, "?text=x&after=%21", 400))
    assert site.client.get("/api/v1/logs?text=x").status_code == 401
    rest(site, "?text=x", 403, "agent")


def test_graphql(site: Site, runs: tuple[UUID, UUID]) -> None:
    page = site.data(QUERY, "viewer", t="connection", n=2)["logSearch"]
    assert len(page["items"]) == 2 and page["complete"] is True
    [item] = site.data(QUERY, t="connection", n=2, a=page["next"])["logSearch"]["items"]
    assert (item["message"], item["level"], item["flowRunId"]) == ("connection refused", 30, str(runs[0]))
    assert (item["flow"], item["project"], item["taskSlug"]) == ("etl", "demo", None)
    found = site.data(QUERY, t="connection", f={"flow": "etl", "minLevel": 30, "project": "demo"})["logSearch"]
    assert len(found["items"]) == 2 and found["next"] is None
    assert "has no word" in str(site.graphql(QUERY, t="*"))
    assert "There is no project" in str(site.graphql(QUERY, t="x", f={"project": "none"}))
    assert site.post("/graphql", {"query": QUERY, "variables": {"t": "x"}}, "agent").status_code == 403


def test_the_client(transport: Transport, runs: tuple[UUID, UUID]) -> None:
    lines = [line for page in client.search(transport, "connection", limit=2) for line in page.items]
    assert [line.flow for line in lines] == ["other", "etl"] and lines[1].flow_run_id == runs[0]
    assert [page.items[0].message for page in client.search(transport, "refused ", flow="etl")] == [
        "connection refused"
    ]
    with pytest.raises(Refused, match="has no word"):
        next(client.search(transport, "?"))


def test_the_command_line(site: Site, runs: tuple[UUID, UUID], run: Callable[..., str]) -> None:
    name = builders.run_row(site.database, runs[0])["name"]
    printed = run("logs", "--search", "connection", "--flow", "demo/etl", "--level", "warning", "--since", "1h")
    lines = printed.splitlines()
    assert len(lines) == 2 and lines[1].endswith(f"demo/etl {name}  WARNING connection refused"), printed
    assert "\x1b" not in printed and "\u202e" not in printed
    found = msgspec.json.decode(run("logs", "--search", "connection", "--limit", "1", "--json"))
    assert [(line["flow"], line["message"]) for line in found] == [("other", "connection of another")]
    assert len(run("logs", name).splitlines()) == 2
    flow = builders.register(site.database, "other").flow_id
    assert "of another" in run("logs", "--search", "conn", "--flow", str(flow), "--project", "demo")


def test_the_command_line_says_what_is_wrong(
    site: Site, address: str, runs: tuple[UUID, UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str, code: int = 2) -> str:
        assert invoke(["logs", *arguments]) == code
        return capsys.readouterr().err

    assert "Name a run, or find lines of all runs with --search" in said()
    assert "Name a run, or" in said(str(runs[0]), "--search", "x")
    assert "The option --flow goes with --search" in said(str(runs[0]), "--flow", "etl")
    assert "The option --follow goes with a run" in said("--search", "x", "--follow")
    assert "The option --stream goes with a run" in said("--search", "x", "--stream", "stderr")
    assert "has no word; use letters or digits" in said("--search", " ")
    assert "did you mean 'etl'" in said("--search", "x", "--flow", "elt")
    assert said("--search", "nothing", code=0) == "No lines match.\n"


def test_every_door_says_that_the_index_is_not_complete(
    site: Site, address: str, runs: tuple[UUID, UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    with site.database.write() as session:
        write_settings.put(session, log_search.FILL.name, "5", clock.now())
    assert rest(site, "?text=x")["complete"] is False
    assert site.data(QUERY, t="x")["logSearch"]["complete"] is False
    assert invoke(["logs", "--search", "nothing"]) == 0
    assert capsys.readouterr().err == f"No lines match.\n{INCOMPLETE}\n"
    with site.database.write() as session:
        session.execute(text("delete from setting where name = 'log_search.fill'"))
