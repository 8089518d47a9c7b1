"""What is kept of code and results is listed for administrators, by REST, GraphQL, and the command line, without its content."""

from __future__ import annotations

import io
import json
from hashlib import sha256

import pytest

from appliance.cli.root import invoke
from appliance.protocol.bundles import PutBundle
from appliance.server.actions import bundles, kept_results
from appliance.server.app import create_app
from tests.integration import builders
from tests.integration.result_doors import begun, request, stored
from tests.integration.server_fixtures import Site, listening

CONTENT = b"\x00what nobody is to see"
BUNDLES = """{ bundles { items { projectName digest size sealed keyId versionCount usedBy { flowName } userCount } next }
  keptTotals { bundles { count bytes } results { count bytes } mostBytesOfResult mostBytesOfRun mostBytesOfProject } }"""
RESULTS = """query($project: String, $prefix: String, $first: Int, $after: String) {
  keptResults(project: $project, prefix: $prefix, first: $first, after: $after) {
    items { id projectName flowRunId flowRunName flowName location size sealed keyId expires } next } }"""


@pytest.fixture
def kept(site: Site) -> Site:
    """Two projects with results of runs and shared ones, and a bundle."""
    database = site.database
    for project in ("demo", "another"):
        work = begun(database, project=project)
        stored(
            database,
            work,
            f"2026/01/31/{work.flow_run_id}/x.pack",
            CONTENT,
            sealed=project == "demo",
            key_id="k1" if project == "demo" else "",
        )
        kept_results.store(database, work.flow_run_id, request("targets/100%_a", CONTENT))
    digest = "d" * 64
    bundle = PutBundle(
        project="demo", digest=digest, sha256=sha256(CONTENT).hexdigest(), content=CONTENT, sealed=True, key_id="k2"
    )
    bundles.put(database, builders.ALICE, bundle)
    storage = {"type": "bundle", "path": "etl.py", "flow": "etl", "sha256": digest, "digest": digest}
    for name in ("one", "two", "one"):
        builders.register(database, name, storage=storage, labels=[name])
    return site


def test_graphql_lists_code_with_the_flows_that_use_it(kept: Site) -> None:
    found = kept.data(BUNDLES, "admin")
    (bundle,) = found["bundles"]["items"]
    assert (bundle["projectName"], bundle["digest"], bundle["sealed"]) == ("demo", "d" * 64, True)
    assert bundle["keyId"] == "k2"
    assert (bundle["size"], bundle["usedBy"]) == (len(CONTENT), [{"flowName": "one"}, {"flowName": "two"}])
    assert (bundle["userCount"], found["bundles"]["next"]) == (2, None)
    assert found["keptTotals"]["results"] == {"count": 4, "bytes": 4 * len(CONTENT)}
    assert found["keptTotals"]["mostBytesOfResult"] == 8 * 1024**2


def test_results_are_listed_by_project_and_by_the_beginning_of_their_location(kept: Site) -> None:
    every = kept.data(RESULTS, "admin")["keptResults"]["items"]
    assert [(one["projectName"], one["location"][:4]) for one in every] == [
        *(("another", "targ"), ("another", "2026"), ("demo", "targ"), ("demo", "2026")),
    ]
    assert [one["sealed"] for one in every] == [False, False, False, True]
    assert [one["keyId"] for one in every] == [None, None, None, "k1"]
    assert [(one["flowRunName"] is None, one["flowName"]) for one in every[:2]] == [(True, None), (False, "etl")]
    first = kept.data(RESULTS, "admin", project="demo", first=1)["keptResults"]
    rest = kept.data(RESULTS, "admin", project="demo", first=1, after=first["next"])["keptResults"]
    assert [*first["items"], *rest["items"]] == every[2:] and rest["next"] is None

    def locations(prefix: str) -> list[str]:
        page = kept.get("/api/v1/results", "admin", params={"project": "demo", "prefix": prefix}).json()
        assert "content" not in str(page)
        return [item["location"] for item in page["items"]]

    assert locations("targets/100%_") == ["targets/100%_a"]
    assert locations("targets/%") == locations("Targets") == locations("targets/100%_a/") == []
    assert len(locations("")) == 2
    refused = kept.get("/api/v1/results?prefix=2026/", "admin")
    assert refused.status_code == 400 and "say which project, too" in refused.json()["message"]


def test_only_administrators_see_and_delete_them(kept: Site) -> None:
    (one, *_) = kept.data(RESULTS, "admin", project="demo")["keptResults"]["items"]
    delete = "mutation($input: DeleteKeptResultInput!) { deleteKeptResult(input: $input) { resultId } }"
    for role in ("viewer", "operator"):
        for query, variables in ((RESULTS, {}), (BUNDLES, {}), (delete, {"input": {"resultId": one["id"]}})):
            answer = kept.graphql(query, role, **variables)
            assert answer["errors"][0]["extensions"]["code"] == "forbidden" and not answer.get("data")
    assert kept.data(delete, "admin", input={"resultId": one["id"]}) == {"deleteKeptResult": {"resultId": one["id"]}}
    again = kept.graphql(delete, "admin", input={"resultId": one["id"]})
    assert "There is no such result" in again["errors"][0]["message"]
    assert len(kept.data(RESULTS, "admin", project="demo")["keptResults"]["items"]) == 1
    builders.check_usage(kept.database)


def test_the_command_line_lists_and_deletes(
    kept: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(create_app(kept.settings, kept.database)) as url:
        monkeypatch.setenv("APPLIANCE_URL", url)
        monkeypatch.setenv("APPLIANCE_TOKEN", kept.tokens["admin"])
        assert invoke(["result", "list"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split()[:3] == ["PROJECT", "LOCATION", "BYTES"] and len(lines) == 5
        assert "sealed with k1" in lines[4] and "etl/" in lines[4] and "with its run" in lines[4]
        assert invoke(["result", "list", "--project", "demo", "--prefix", "targets/", "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["location"] == "targets/100%_a" and "content" not in found
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert invoke(["result", "delete", found["id"]]) == 2
        assert "add --yes" in capsys.readouterr().err
        assert invoke(["result", "delete", found["id"], "--yes"]) == 0
        assert capsys.readouterr().out == f"Result {found['id']} is deleted.\n"
        assert invoke(["result", "delete", found["id"], "--yes"]) == 2
        assert invoke(["result", "list", "--project", "demo", "--prefix", "targets/"]) == 0
        assert "No results match." in capsys.readouterr().err
        assert invoke(["result", "list", "--prefix", "targets/"]) == 2
        assert "say which project" in capsys.readouterr().err
