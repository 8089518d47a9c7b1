"""Artifacts of runs: who makes them, what replaces what, how much there may be, and how long they stay."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from appliance.kit import clock as kit_clock
from appliance.kit import crash
from appliance.protocol.agents import Work
from appliance.protocol.artifacts import ArtifactMade
from appliance.protocol.flow_runs import RestartFlowRun
from appliance.protocol.life_cycle import DeleteTree
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import artifacts, jobs, run_protocol
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.retention import Sweep
from appliance.server.db.session import Database
from appliance.server.domain.retention import ARTIFACT_KEYS_KNOWN, Keep
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid, NoArtifact, NotFound, QuotaReached, StaleAttempt
from tests.integration import builders
from tests.integration.artifact_requests import made, request, slot
from tests.integration.result_doors import begun
from tests.integration.server_fixtures import Site

PNG = b"\x89PNG\r\n\x1a\n and the rest"


def keyed(database: Database, work: Work, name: str = "a", **fields: Any) -> ArtifactMade:
    return made(database, work, b"x", name, key="report", **fields)


def rows(database: Database, columns: str = "kind, key, version, size", where: str = "1 = 1") -> list[Any]:
    query = f"select {columns} from artifact where {where} order by id"
    return [tuple(row.values()) for row in builders.rows(database, query)]


def versions(database: Database) -> list[Any]:
    return [row[0] for row in rows(database, "version")]


def sweep(database: Database, now: Any, **keep: Any) -> dict[str, int]:
    return dict(Sweep(database, Keep(**keep), now, seconds=3600.0, pause=lambda _seconds: None).run())


def end(database: Database, work: Work) -> None:
    builders.send(database, work.flow_run_id, 1, builders.flow("SUCCESS", "Success"))


def delete(database: Database, work: Work) -> None:
    end(database, work)
    delete_run(database, builders.ALICE, work.flow_run_id)


# --- who may


def test_only_the_live_attempt_makes_artifacts(database: Database) -> None:
    work = begun(database)
    for attempt in (0, 2):
        with pytest.raises(StaleAttempt):
            made(database, work, attempt=attempt)
    made(database, work)
    end(database, work)
    with pytest.raises(StaleAttempt, match="makes no artifacts"):
        made(database, work, name="b")
    with pytest.raises(NotFound):
        artifacts.make(database, uuid4(), request())
    assert len(rows(database)) == 1
    builders.check_usage(database)


def test_a_server_says_whether_it_keeps_artifacts(database: Database) -> None:
    run, _agent = builders.begun(database)
    for most in (1, 0):
        database.rules = Rules(run_artifacts=most)
        begun_again = run_protocol.begin(database, builders.RUN, run, Begin(attempt=1))
        assert begun_again.verdict == "go" and begun_again.makes_artifacts == (most > 0)


# --- one for each slot


def test_a_task_that_is_tried_again_replaces_what_it_has_made(database: Database) -> None:
    work = begun(database)
    first = keyed(database, work)
    again = made(database, work, b"better", key="report", number=2, title="Second try")
    assert again == first and again.version == 1
    assert rows(database, "title, size, attempt, number") == [("Second try", 6, 1, 2)]
    builders.check_usage(database)


def test_a_request_that_arrives_late_or_twice_changes_nothing(database: Database) -> None:
    work = begun(database)
    later = made(database, work, b"later", number=7)
    assert made(database, work, b"earlier", number=6) == later == made(database, work, b"other", number=7)
    with database.read() as session:
        assert artifacts.content(session, later.id).content == b"later"


def test_a_later_attempt_replaces_although_it_counts_anew(database: Database) -> None:
    work = begun(database)
    first = made(database, work, b"old", number=9)
    builders.send(database, work.flow_run_id, 1, builders.flow("FAILED", "Failed"))
    restart_run(database, builders.ALICE, work.flow_run_id, RestartFlowRun())
    (again,) = builders.claim(database, builders.enrol(database))
    run_protocol.begin(database, builders.RUN, again.flow_run_id, Begin(attempt=2))
    assert artifacts.make(database, work.flow_run_id, request(b"new", attempt=2, number=1)) == first
    with database.read() as session:
        assert artifacts.content(session, first.id).content == b"new"


def test_a_slot_keeps_its_kind_and_key(database: Database) -> None:
    work = begun(database)
    keyed(database, work)
    for other in ({"key": "another"}, {"key": None}, {"key": "report", "kind": "html"}):
        with pytest.raises(Conflict, match="another kind or key"):
            made(database, work, number=2, **other)


def test_progress_moves(database: Database) -> None:
    work = begun(database)
    for number, percent in enumerate((0, 12.5, 100), 1):
        made(database, work, b"", kind="progress", progress=percent, number=number)
    assert rows(database, "progress") == [(100.0,)]
    for wrong in (-1, 100.1, None):
        with pytest.raises(Invalid, match="from 0 to 100"):
            made(database, work, b"", "b", kind="progress", progress=wrong)
    with pytest.raises(Invalid, match="Only artifacts of the kind progress"):
        made(database, work, progress=1)


# --- versions of a key


def test_each_artifact_with_a_key_is_its_next_version_in_the_project(database: Database) -> None:
    first, second = begun(database), begun(database)
    numbers = [keyed(database, first).version, keyed(database, second).version, keyed(database, first, "b").version]
    assert numbers == [1, 2, 3]
    assert keyed(database, begun(database, project="another")).version == 1
    assert made(database, first, name="c").version is None


def test_the_number_of_a_deleted_version_is_not_used_again(database: Database) -> None:
    work = begun(database)
    for name in "abc":
        newest = keyed(database, work, name)
    artifacts.remove(database, builders.ALICE, newest.id)
    assert keyed(database, work, "d").version == 4
    for (id,) in rows(database, "id"):
        artifacts.remove(database, builders.ALICE, UUID(str(id)))
    assert keyed(database, work, "e").version == 5
    with pytest.raises(NoArtifact):
        artifacts.remove(database, builders.ALICE, newest.id)
    builders.check_usage(database)


def test_a_key_is_forgotten_a_month_after_its_last_artifact(database: Database) -> None:
    work, now = begun(database), kit_clock.now()
    gone, other = keyed(database, work), made(database, work, b"x", "b", key="other")
    artifacts.remove(database, builders.ALICE, gone.id, now=now)
    later = now + ARTIFACT_KEYS_KNOWN + timedelta(days=1)
    assert sweep(database, now + timedelta(days=1))["artifact_keys"] == 0
    assert sweep(database, later)["artifact_keys"] == 1
    assert keyed(database, work, "c").version == 1
    assert made(database, work, b"x", "d", key="other").version == 2
    assert other.version == 1


# --- how long they stay


def test_they_go_with_their_run_or_outlive_it(database: Database) -> None:
    first, second = begun(database), begun(database)
    made(database, first)
    for number, key in enumerate(("old", "current")):
        made(database, first, b"x", key, number + 2, key=key, retention="latest")
    made(database, first, b"x", "kept", 4, retention="forever")
    made(database, second, b"x", "old", key="old", retention="latest")
    delete(database, first)
    left = {(key, version, run is None) for key, version, run in rows(database, "key, version, flow_run_id")}
    assert left == {("current", 1, True), (None, None, True), ("old", 2, False)}
    builders.check_usage(database)
    made(database, second, b"y", "current", 2, key="current", retention="latest")  # supersedes the one without a run
    assert sorted(rows(database, "key, version", "key is not null")) == [("current", 2), ("old", 2)]
    builders.check_usage(database)


def test_a_new_version_leaves_those_that_stay_anyway(database: Database) -> None:
    first, second, third = begun(database), begun(database), begun(database)
    keyed(database, first, retention="forever")
    keyed(database, second, retention="latest")
    delete(database, first)
    keyed(database, third)
    assert versions(database) == [1, 2, 3]
    delete(database, second)
    assert versions(database) == [1, 3]
    builders.check_usage(database)


def test_only_a_key_has_a_latest_version_to_keep(database: Database) -> None:
    with pytest.raises(Invalid, match="Only an artifact with a key"):
        made(database, begun(database), retention="latest")


def test_retention_deletes_them_with_their_runs_many_at_a_time(database: Database) -> None:
    work = begun(database)
    for number in range(45):
        made(database, work, b"x", str(number), number, retention="forever" if number % 3 == 0 else "run")
    end(database, work)
    sweep(database, kit_clock.now() + timedelta(days=2), runs_days=1)
    assert len(rows(database)) == 15 and not rows(database, where="flow_run_id is not null")
    assert builders.rows(database, "select id from flow_run") == []
    builders.check_usage(database)


@pytest.mark.parametrize("what", ["flow", "project"])
def test_they_go_with_their_flow_whatever_they_say(database: Database, what: Literal["flow", "project"]) -> None:
    work = begun(database)
    for number in range(25):
        made(database, work, b"x", str(number), number, key="report", retention="forever")
    delete(database, work)
    assert len(rows(database)) == 25
    id = UUID(str(builders.one(database, f"select id from {what}")["id"]))
    job = jobs.delete(database, builders.ALICE, what, id, DeleteTree())
    while jobs.step(database, job, kit_clock.now()) == "more":
        pass
    assert rows(database) == []
    builders.check_usage(database)


# --- what is refused


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"content": b"\xff"}, "must be text in UTF-8"),
        ({"content": b"x" * 1_000_001}, "has at most 1,000,000"),
        ({"kind": "image", "content": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, "PNG, JPEG, GIF, or WebP"),
        ({"kind": "link", "content": b"javascript:alert(1)"}, "begins with https://"),
        ({"kind": "link", "content": b"https:no-host"}, "begins with https://"),
        ({"kind": "table", "content": b'{"columns": ["a"], "rows": [[1, 2]]}'}, "2 cells"),
        ({"kind": "table", "content": b'{"columns": ["a"], "rows": [[{}]]}'}, "A table consists of"),
        ({"kind": "plot", "content": b'{"layer": [{"data": {"url": "https://x.example"}}]}'}, "not loaded"),
        ({"kind": "file"}, "A file has a name"),
        ({"kind": "file", "file_name": "../x"}, "no slashes"),
        ({"file_name": "x"}, "A file has a name"),
        ({"key": "Über"}, "The key of an artifact has"),
        ({"sha256": "0" * 64}, "don't match their hash"),
        ({"slot": "a"}, "64 hexadecimal digits"),
        ({"task_slug": ""}, "slug of the task"),
        ({"map_index": -2}, "map index"),
        ({"number": -1}, "out of range"),
    ],
)
def test_what_is_no_artifact_is_refused(database: Database, fields: dict[str, Any], sentence: str) -> None:
    work = begun(database)
    with pytest.raises(Invalid, match=sentence):
        made(database, work, **fields)
    assert rows(database) == []


def test_there_are_only_so_many_and_so_large_ones(database: Database) -> None:
    work = begun(database)
    database.rules = Rules(run_artifacts=2, artifact_bytes=10, run_artifacts_bytes=15)
    with pytest.raises(QuotaReached, match="at most 10 bytes each"):
        made(database, work, b"x" * 11)
    made(database, work, b"x" * 10)
    with pytest.raises(QuotaReached, match="at most 15 bytes of artifacts"):
        made(database, work, b"x" * 6, "b")
    made(database, work, b"x" * 5, "b")
    with pytest.raises(QuotaReached, match="at most 2 artifacts"):
        made(database, work, b"", "c")
    made(database, work, b"y" * 10, number=2)
    with pytest.raises(QuotaReached, match="at most 15 bytes"):
        made(database, work, b"y" * 6, "b", 2)
    database.rules = Rules(project_bytes=1)
    with pytest.raises(QuotaReached, match="1 bytes of runs"):
        made(database, work, b"y", "d")
    builders.check_usage(database)


def test_a_lost_answer_leaves_one_artifact(database: Database) -> None:
    work = begun(database)
    for point, number in (("artifacts.made", 0), ("artifacts.committed", 1)):
        crash.arm(f"{point}:1:raise")
        try:
            with pytest.raises(crash.Crashed):
                keyed(database, work)
        finally:
            crash.arm("")
        assert len(rows(database)) == number
    assert keyed(database, work).version == 1
    builders.check_usage(database)


# --- what people get


def test_people_list_read_and_delete_them(site: Site) -> None:
    database = site.database
    first, second = begun(database), begun(database)
    keyed(database, first), keyed(database, second)
    other = made(database, second, b"x", "b", 2, title="Untitled <b>", task_slug="extract-1", map_index=3)

    def listed(query: str) -> list[dict[str, Any]]:
        answer = site.get(f"/api/v1/artifacts{query}", "viewer")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    assert [one["key"] for one in listed("")] == [None, "report", "report"]
    assert listed(f"?flow_run_id={second.flow_run_id}")[0]["id"] == str(other.id)
    assert len(listed(f"?flow_run_id={second.flow_run_id}")) == 2 and len(listed("?project=demo")) == 3
    assert listed("?project=nowhere") == [] and len(listed(f"?flow_id={listed('')[0]['flow_id']}")) == 3
    assert [one["version"] for one in listed("?project=demo&key=report")] == [2, 1]
    page = site.get("/api/v1/artifacts?project=demo&key=report&limit=1", "viewer").json()
    assert [one["version"] for one in listed(f"?project=demo&key=report&after={page['next']}")] == [1]
    assert (
        [one["version"] for one in listed("/latest")] == [2] == [one["version"] for one in listed("/latest?prefix=re")]
    )
    assert listed("/latest?prefix=x") == [] == listed("/latest?project=nowhere")
    for query in ("?key=report", f"?key=report&project=demo&flow_run_id={second.flow_run_id}"):
        assert site.get(f"/api/v1/artifacts{query}", "viewer").status_code == 400
    shown = site.get(f"/api/v1/artifacts/{other.id}", "viewer").json()
    assert (shown["title"], shown["task_slug"], shown["map_index"], shown["size"]) == (
        "Untitled <b>",
        "extract-1",
        3,
        1,
    )
    assert "content" not in shown
    where = f"/api/v1/artifacts/{other.id}"
    assert site.client.delete(where, headers=site.headers("viewer")).status_code == 403
    assert site.client.delete(where, headers=site.headers("operator")).status_code == 204
    for path in (where, f"{where}/content", f"{where}/page"):
        answer = site.get(path, "viewer")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_artifact")


def test_latest_versions_come_in_pages_those_first_that_were_made_last(site: Site) -> None:
    work, now = begun(site.database), kit_clock.now()
    for number, key in enumerate(("a", "b", "c", "a")):
        made(site.database, work, b"x", f"{number}", number, key=key, now=now + timedelta(seconds=number))
    keys, after = [], ""
    while after is not None:
        page = site.get(f"/api/v1/artifacts/latest?limit=1{after and f'&after={after}'}", "viewer").json()
        keys += [(one["key"], one["version"]) for one in page["items"]]
        after = page["next"]
    assert keys == [("a", 2), ("c", 1), ("b", 1)]


def test_a_run_makes_them_over_http(site: Site) -> None:
    work = begun(site.database)
    body = {
        "attempt": 1, "number": 1, "slot": slot("a"), "kind": "image", "sha256": hashlib.sha256(PNG).hexdigest(),
        "content": base64.b64encode(PNG).decode(),
    }  # fmt: skip
    path = f"/api/v1/flow-runs/{work.flow_run_id}/artifacts"
    answer = site.client.post(path, json=body, headers={"Authorization": f"Bearer {work.run_token}"})
    assert answer.status_code == 200, answer.text
    content = site.get(f"/api/v1/artifacts/{answer.json()['id']}/content", "viewer")
    assert content.content == PNG and content.headers["content-type"] == "image/png"
    assert site.client.post(path, json=body, headers=site.headers("admin")).status_code == 403


def test_what_browsers_get_is_harmless(site: Site) -> None:
    work, evil = begun(site.database), b"<script>alert(1)</script>"
    page = made(site.database, work, evil, kind="html")
    file = made(site.database, work, evil, "b", 2, kind="file", file_name='x".html\u00fc')
    for one in (page, file):
        answer = site.get(f"/api/v1/artifacts/{one.id}/content", "viewer")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'") and "frame-ancestors 'none'" in policy
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].endswith("x%22.html%C3%BC")
    framed = site.get(f"/api/v1/artifacts/{page.id}/page", "viewer")
    assert framed.content == evil and framed.headers["content-type"] == "text/html; charset=utf-8"
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'") and "script-src" not in policy and "http" not in policy
    assert framed.headers["x-frame-options"] == "SAMEORIGIN" and framed.headers["x-content-type-options"] == "nosniff"
    assert framed.headers["cache-control"] == "no-store"
    assert site.get(f"/api/v1/artifacts/{file.id}/page", "viewer").status_code == 400
    for path in ("content", "page"):
        assert site.client.get(f"/api/v1/artifacts/{page.id}/{path}").status_code == 401


def test_graphql_lists_and_deletes_them(site: Site) -> None:
    work = begun(site.database)
    one = keyed(site.database, work, title="Report", task_slug="extract-1")
    query = """query ($run: UUID!, $id: UUID!) {
      artifacts(flowRunId: $run) { items { id kind title taskSlug mapIndex size version flowRunName } next }
      artifactVersions(project: "demo", key: "report") { items { version } }
      latestArtifacts(project: "demo", prefix: "rep") { items { key flowName projectName retention } }
      artifact(id: $id) { mediaType fileName progress created updated }
    }"""
    values = {"run": str(work.flow_run_id), "id": str(one.id)}
    data = site.data(query, "viewer", **values)
    listed = data["artifacts"]["items"][0]
    assert (listed["id"], listed["kind"], listed["title"], listed["version"]) == (str(one.id), "markdown", "Report", 1)
    assert data["artifactVersions"]["items"] == [{"version": 1}]
    assert data["latestArtifacts"]["items"][0]["key"] == "report"
    assert data["artifact"]["mediaType"] == "text/markdown"
    mutation = "mutation ($id: UUID!) { deleteArtifact(input: {artifactId: $id}) { artifactId } }"
    site.data(mutation, "operator", id=str(one.id))
    assert site.data(query, "viewer", **values)["artifact"] is None
