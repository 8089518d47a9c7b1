"""Results that the appliance keeps: who stores and reads them, how much, and how long they stay."""

from __future__ import annotations

import hashlib
import socket
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from appliance.core.errors import ResultError
from appliance.engine.results import doors
from appliance.engine.results.appliance import ApplianceResult
from appliance.engine.results.doors import DoorError
from appliance.engine.results.run_packs import RunPacks
from appliance.kit import clock as kit_clock
from appliance.kit import crash
from appliance.protocol.life_cycle import DeleteTree
from appliance.protocol.results import AskKeptResult, AskResult
from appliance.server.actions import jobs, kept_results
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.retention import Sweep
from appliance.server.app import create_app
from appliance.server.db.session import Database
from appliance.server.domain.retention import Keep
from appliance.server.domain.rules import Rules
from appliance.server.errors import Conflict, Invalid, NoResult, NotFound, QuotaReached, ResultsDoorClosed, StaleAttempt
from tests.integration import builders
from tests.integration.conftest import StoppedClock
from tests.integration.result_doors import Stopping, begun, door, request, stored
from tests.integration.server_fixtures import Site, listening


def read(database: Database, work: Any, location: str, attempt: int = 1) -> bytes:
    return kept_results.read(database, work.flow_run_id, AskResult(attempt=attempt, location=location)).content


def found(database: Database, work: Any, location: str) -> bool:
    return kept_results.find(database, work.flow_run_id, AskResult(attempt=1, location=location)).exists


def own(work: Any, name: str = "x.pack") -> str:
    return f"2026/01/31/{work.flow_run_id}/{name}"


def number(database: Database) -> int:
    return int(builders.one(database, "select count(*) as n from kept_result")["n"])


def sweep(database: Database, now: Any, **keep: Any) -> dict[str, int]:
    return dict(Sweep(database, Keep(**keep), now, seconds=3600.0, pause=lambda _seconds: None).run())


def end(database: Database, work: Any) -> None:
    builders.send(database, work.flow_run_id, 1, builders.flow("SUCCESS", "Success"))


# --- who may


def test_runs_of_one_project_read_what_the_others_stored(database: Database) -> None:
    first, second, stranger = begun(database), begun(database), begun(database, project="another")
    stored(database, first, own(first), b"\x00bytes")
    assert read(database, first, own(first)) == read(database, second, own(first)) == b"\x00bytes"
    assert found(database, second, own(first)) and not found(database, stranger, own(first))
    with pytest.raises(NoResult):
        read(database, stranger, own(first))


def test_another_attempt_neither_writes_nor_reads(database: Database) -> None:
    work = begun(database)
    stored(database, work, own(work), b"x")
    for attempt in (0, 2):
        for ask in (
            lambda a=attempt: kept_results.store(database, work.flow_run_id, request(own(work, "y"), b"y", a)),
            lambda a=attempt: read(database, work, own(work), a),
        ):
            with pytest.raises(StaleAttempt):
                ask()
    end(database, work)
    with pytest.raises(StaleAttempt, match="neither stores nor reads results"):
        stored(database, work, own(work, "y"), b"y")
    with pytest.raises(NotFound):
        kept_results.store(database, uuid4(), request("x", b"x"))
    assert number(database) == 1


def test_a_run_does_not_replace_what_is_another_runs(database: Database) -> None:
    first, second = begun(database), begun(database)
    stored(database, first, own(first), b"x")
    with pytest.raises(Conflict, match="a result of another run"):
        stored(database, second, own(first), b"y", replace=True)
    assert read(database, first, own(first)) == b"x"


def test_the_same_bytes_change_nothing_and_others_only_when_they_are_to(database: Database) -> None:
    work = begun(database)
    for location in (own(work), "target.pickle"):
        assert stored(database, work, location, b"old") == stored(database, work, location, b"old")
        with pytest.raises(Conflict, match="not to be replaced"):
            stored(database, work, location, b"another")
        stored(database, work, location, b"another", replace=True)
        assert read(database, work, location) == b"another"
    builders.check_usage(database)


def test_administrators_read_them_and_operators_do_not(site: Site) -> None:
    database = site.database
    first, second = begun(database), begun(database, project="another")
    for work in (first, second):
        stored(database, work, "target.pickle", str(work.flow_run_id).encode())
    with pytest.raises(Invalid, match="say which project"):
        kept_results.read_as_person(database, AskKeptResult(location="target.pickle"))
    body = {"location": "target.pickle", "project": "another"}
    assert site.post("/api/v1/results/read", body, "operator").status_code == 403
    answer = site.post("/api/v1/results/read", body, "admin")
    assert answer.json()["sha256"] == hashlib.sha256(str(second.flow_run_id).encode()).hexdigest()
    listed = site.get("/api/v1/results?project=another", "admin").json()["items"]
    assert [(item["project"], item["location"], item["size"]) for item in listed] == [("another", "target.pickle", 36)]
    assert "content" not in listed[0]
    page = site.get("/api/v1/results?limit=1", "admin").json()
    assert len(site.get(f"/api/v1/results?after={page['next']}", "admin").json()["items"]) == 1
    assert site.client.delete(f"/api/v1/results/{listed[0]['id']}", headers=site.headers("admin")).status_code == 204
    assert not found(database, second, "target.pickle") and found(database, first, "target.pickle")
    builders.check_usage(database)


# --- what is refused


def test_damaged_bytes_are_not_stored(database: Database) -> None:
    work = begun(database)
    with pytest.raises(Invalid, match="don't match their hash"):
        kept_results.store(database, work.flow_run_id, request("x", b"x", sha256="0" * 64))
    for location in ("", "a\nb", "x" * 1025, "é" * 600):
        with pytest.raises(Invalid, match="location of a result"):
            kept_results.store(database, work.flow_run_id, request(location, b"x"))
    assert number(database) == 0


def test_there_are_bounds_for_each_result_run_and_project(database: Database) -> None:
    work = begun(database)
    database.rules = Rules(results_door_object_bytes=100, results_door_run_bytes=250)
    with pytest.raises(
        QuotaReached, match=r"at most 100 bytes each; .*object store, or have .*RESULTS_DOOR_OBJECT_BYTES"
    ):
        stored(database, work, own(work), b"x" * 101)
    stored(database, work, own(work, "1"), b"x" * 100)
    stored(database, work, own(work, "2"), b"x" * 100)
    with pytest.raises(QuotaReached, match="at most 250 bytes of results for each run"):
        stored(database, work, own(work, "3"), b"x" * 100)
    stored(database, work, own(work, "2"), b"x" * 40, replace=True)
    stored(database, work, own(work, "3"), b"x" * 100)
    builders.check_usage(database)
    database.rules = Rules(project_bytes=1)
    with pytest.raises(QuotaReached, match="The project has stored 1 bytes"):
        stored(database, work, "target", b"x")
    assert number(database) == 3


def test_a_closed_door_still_gives_what_it_has(database: Database) -> None:
    work = begun(database)
    stored(database, work, own(work), b"x")
    database.rules = Rules(results_door=False)
    with pytest.raises(ResultsDoorClosed, match="APPLIANCE_RESULTS_DOOR is false; store them elsewhere"):
        stored(database, work, own(work, "y"), b"y")
    assert read(database, work, own(work)) == b"x"


# --- how long they stay


def test_they_go_with_their_run_a_few_at_a_time(database: Database) -> None:
    work, other = begun(database), begun(database)
    for place in range(45):
        stored(database, work, own(work, str(place)), b"x")
    stored(database, other, own(other), b"x")
    stored(database, work, "target.pickle", b"shared")
    end(database, work)
    later = kit_clock.now() + timedelta(days=2)
    sweep(database, later, runs_days=1)
    assert number(database) == 2 and not found(database, other, own(work, "1"))
    builders.check_usage(database)
    end(database, other)
    delete_run(database, builders.ALICE, other.flow_run_id)
    assert number(database) == 1
    builders.check_usage(database)


def test_what_runs_share_goes_when_it_expires_or_is_as_old_as_runs_get(database: Database, clock: StoppedClock) -> None:
    work = begun(database)
    stored(database, work, "cache/a.json", b"record", expires=clock() + timedelta(hours=6))
    stored(database, work, "target.pickle", b"target")
    assert "results" not in {name for name, rows in sweep(database, clock()).items() if rows}
    sweep(database, clock() + timedelta(hours=6))
    assert not found(database, work, "cache/a.json") and found(database, work, "target.pickle")
    clock.move(60 * 86_400)
    stored(database, work, "target.pickle", b"target")
    sweep(database, clock() + timedelta(days=89))
    assert found(database, work, "target.pickle"), "it was stored again meanwhile"
    sweep(database, clock() + timedelta(days=90))
    assert number(database) == 0
    builders.check_usage(database)


def test_a_deleted_project_takes_them_along(database: Database) -> None:
    work = begun(database)
    for place in range(25):
        stored(database, work, f"target-{place}", b"x")
    end(database, work)
    project = UUID(str(builders.one(database, "select id from project")["id"]))
    job = jobs.delete(database, builders.ALICE, "project", project, DeleteTree())
    while jobs.step(database, job, kit_clock.now()) == "more":
        pass
    assert number(database) == 0 and builders.rows(database, "select id from project") == []


# --- crash points, and the door itself


def test_a_server_that_dies_has_stored_all_or_nothing(database: Database) -> None:
    work = begun(database)
    for point, kept in (("results.stored", 0), ("results.committed", 1)):
        crash.arm(f"{point}:1:raise")
        try:
            with pytest.raises(crash.Crashed):
                stored(database, work, own(work), b"x")
        finally:
            crash.arm("")
        assert number(database) == kept
    stored(database, work, own(work), b"x")
    assert number(database) == 1
    builders.check_usage(database)


def test_a_run_waits_for_a_server_that_is_away_until_it_must_stop(database: Database) -> None:
    work = begun(database)

    class Briefly(Stopping):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            self.reason = "Cancelled." if self.waits == 3 else None

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stopping = Briefly()
    with pytest.raises(DoorError, match="can't be reached"):
        door(work, f"http://127.0.0.1:{port}", stopping).find("x", None)
    assert stopping.waits == 3


def test_what_is_refused_is_lost_with_the_sentence_of_the_server(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    work, place = begun(site.database), ApplianceResult()
    site.database.rules = Rules(results_door_object_bytes=50)
    with listening(create_app(site.settings, site.database)) as url:
        monkeypatch.setattr(doors._Connection, "door", door(work, url))
        run = RunPacks(str(work.flow_run_id), "attempt-1")
        location = run.store(place, "x" * 100, ("run", "task-1")).location
        lost = run.close()
        assert lost.locations == lost.required == {location} and "at most 50 bytes each" in lost.reason
        with pytest.raises(ResultError, match=r"written to appliance:/target.*at most 50 bytes each"):
            place.put("target", b"x" * 51)
    monkeypatch.setattr(doors._Connection, "door", None)
    with pytest.raises(ResultError, match="only results of runs that an agent starts"):
        place.put("target", b"x")


def test_outside_of_a_run_an_administrators_token_reads(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    place, work = ApplianceResult(project="demo"), begun(site.database)
    with listening(create_app(site.settings, site.database)) as url:
        monkeypatch.setattr(doors._Connection, "door", door(work, url))
        kept = place.store({"rows": 3}, "target.pickle")
        monkeypatch.setattr(doors._Connection, "door", None)
        monkeypatch.setenv("APPLIANCE_URL", url)
        monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
        assert place.read("target.pickle", kept.sha256) == {"rows": 3}
        assert not place.has("another.pickle")
        monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["operator"])
        with pytest.raises(ResultError, match="permission results:manage, which the role operator doesn't have"):
            place.read("target.pickle")
