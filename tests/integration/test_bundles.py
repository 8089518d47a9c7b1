"""The site store: who brings code in, who gets it out, how much there is, and when it goes."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from appliance.config import Settings
from appliance.kit import clock
from appliance.protocol.bundles import AskBundle, PutBundle, TakeBundle
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import bundles
from appliance.server.actions import run_protocol as runs
from appliance.server.db.reads import bundles as reads
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, NotFound, QuotaReached, StaleAttempt
from appliance.server.services.retention import Retention
from tests.integration import builders
from tests.integration.builders import ALICE, RUN
from tests.integration.server_fixtures import Site

DIGEST, OTHER = "d" * 64, "e" * 64
STORAGE = {"type": "bundle", "path": "flows/etl.py", "flow": "etl", "sha256": "a" * 64, "digest": DIGEST}
CONTENT = b"not even an archive"


def message(digest: str = DIGEST, content: bytes = CONTENT, **fields: Any) -> PutBundle:
    given = {"project": "demo", "sha256": sha256(content).hexdigest(), **fields}
    return PutBundle(digest=digest, content=content, **given)


def has(db: Database, digest: str = DIGEST, project: str = "demo") -> bool:
    return bundles.ask(db, ALICE, AskBundle(project=project, digest=digest)).stored


def registered(db: Database, **parts: Any) -> UUID:
    return builders.register(db, storage=STORAGE, **parts).flow_id


def test_a_run_gets_the_bundle_of_its_version_and_no_other(database: Database) -> None:
    bundles.put(database, ALICE, message())
    bundles.put(database, ALICE, message(OTHER, b"other"))
    run = builders.create(database, registered(database))
    agent = builders.enrol(database, storages=["bundle"])
    with pytest.raises(StaleAttempt):
        bundles.take(database, run, TakeBundle(attempt=0))
    builders.claim(database, agent)
    answer = bundles.take(database, run, TakeBundle(attempt=1))
    assert (answer.content, answer.sha256) == (CONTENT, sha256(CONTENT).hexdigest())
    assert runs.begin(database, RUN, run, Begin(attempt=1)).verdict == "go"
    assert bundles.take(database, run, TakeBundle(attempt=1)).content == CONTENT
    with pytest.raises(StaleAttempt):
        bundles.take(database, run, TakeBundle(attempt=2))
    builders.send(database, run, 1, builders.flow("SUCCESS", "Success"))
    with pytest.raises(StaleAttempt):
        bundles.take(database, run, TakeBundle(attempt=1))
    with pytest.raises(NotFound):
        bundles.take(database, uuid4(), TakeBundle(attempt=1))
    local, _agent = builders.begun(database, name="local")
    with pytest.raises(NotFound, match="has no bundle on this server; register the flow again"):
        bundles.take(database, local, TakeBundle(attempt=1))


def test_a_version_without_its_bundle_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="does not have the bundle of this version; register the flow again"):
        registered(database)
    bundles.put(database, ALICE, message(project="elsewhere"))
    with pytest.raises(Invalid, match="does not have the bundle"):
        registered(database)
    assert builders.rows(database, "select id from flow_version") == []


def test_bundles_belong_to_projects(database: Database) -> None:
    bundles.put(database, ALICE, message())
    assert has(database) and not has(database, project="elsewhere") and not has(database, OTHER)
    builders.check_usage(database)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sha256": "0" * 64}, "has not arrived as it was sent: its hash differs; send it again"),
        ({"digest": "x" * 64}, "must be 64 hexadecimal digits"),
        ({"content": bytes(1_001)}, r"1,001 bytes, and at most 1,000 are allowed; .*APPLIANCE_BUNDLE_BYTES"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(database: Database, fields: dict[str, Any], sentence: str) -> None:
    database.rules = replace(database.rules, bundle_bytes=1_000)
    with pytest.raises(Invalid, match=sentence):
        bundles.put(database, ALICE, message(**fields))
    assert builders.rows(database, "select id from bundle") == []


def test_the_store_can_be_switched_off(database: Database) -> None:
    database.rules = replace(database.rules, bundles=False)
    assert not bundles.ask(database, ALICE, AskBundle(project="demo", digest=DIGEST)).enabled
    with pytest.raises(Invalid, match=r"keeps no code; .*APPLIANCE_BUNDLES=true"):
        bundles.put(database, ALICE, message())


def test_bundles_count_towards_the_quota_of_their_project(database: Database) -> None:
    database.rules = replace(database.rules, project_bytes=3_000)
    bundles.put(database, ALICE, message(content=bytes(2_000)))
    with pytest.raises(QuotaReached, match="APPLIANCE_PROJECT_BYTES"):
        bundles.put(database, ALICE, message(OTHER, bytes(2_001)))
    bundles.put(database, ALICE, message(OTHER, bytes(2_001), project="elsewhere"))
    bundles.put(database, ALICE, message(content=bytes(2_000)))
    builders.check_usage(database)


def test_the_same_bundle_of_several_at_once_is_stored_once(database: Database) -> None:
    builders.register(database)
    start, errors = threading.Barrier(4), []

    def put(number: int) -> None:
        start.wait(20)
        try:
            bundles.put(database, ALICE, message(content=bytes([number]) * 10_000, sealed=True))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    (row,) = builders.rows(database, "select sha256, content from bundle")
    assert sha256(bytes(row["content"])).hexdigest() == row["sha256"]
    builders.check_usage(database)


def test_bundles_go_an_hour_after_the_last_version_that_names_them(database: Database) -> None:
    now = clock.now()
    service = Retention(database, Settings())
    bundles.put(database, ALICE, message(), now=now)
    bundles.put(database, ALICE, message(OTHER, b"other"), now=now)
    registered(database)
    later = now + timedelta(minutes=59)
    assert "bundles" not in service.run_once(later)
    bundles.ask(database, ALICE, AskBundle(project="demo", digest=OTHER), now=later)
    assert "bundles" not in service.run_once(now + timedelta(minutes=90)), "someone is about to register it"
    assert service.run_once(now + timedelta(hours=3))["bundles"] == 1
    with database.read() as session:
        assert [(row.digest, row.versions) for row in reads.page(session, 10, None).rows] == [(DIGEST, 1)]
    with database.write("test") as session:
        session.execute(text("delete from flow_version"))
        session.execute(text("delete from flow"))
    assert service.run_once(now + timedelta(hours=3))["bundles"] == 1
    assert not has(database)
    sums = builders.one(database, "select sum(stored_rows) as n from project_usage")
    assert int(sums["n"]) == 1, "that of the version, which was deleted without counting"


def test_projects_go_with_their_bundles(database: Database) -> None:
    bundles.put(database, ALICE, message())
    registered(database)
    with database.write("test") as session:
        for table in ("flow_version", "flow", "project"):
            session.execute(text(f"delete from {table}"))
    assert builders.rows(database, "select id from bundle") == []
    assert builders.rows(database, "select bundle_id from named_bundle") == []


def test_administrators_see_which_there_are(site: Site) -> None:
    for number in range(3):
        body = {"project": "demo", "digest": f"{number}" * 64, "sha256": sha256(b"x").hexdigest(), "content": "eA=="}
        made = site.client.put("/api/v1/bundles", json=body, headers=site.headers("operator"))
        assert made.json() == {"enabled": True, "stored": True, "most_bytes": 20 * 1024**2}, made.text
    first = site.get("/api/v1/bundles?limit=2", "admin").json()
    rest = site.get(f"/api/v1/bundles?limit=2&after={first['next']}", "admin").json()
    found = first["items"] + rest["items"]
    assert [item["digest"][0] for item in found] == ["2", "1", "0"]
    assert {(item["project"], item["size"], item["versions"], item["sealed"]) for item in found} == {
        ("demo", 1, 0, False)
    }
    assert site.get("/api/v1/bundles?after=x", "admin").status_code == 400
    metrics = site.client.get("/metrics").text
    assert "appliance_bundles 3.0" in metrics and "appliance_bundle_bytes 3.0" in metrics


def test_a_body_beyond_all_limits_is_refused_before_it_is_read(site: Site) -> None:
    answer = site.client.put(
        "/api/v1/bundles",
        content=b" " * (54 * 1024**2),
        headers=site.headers("operator") | {"content-type": "application/json"},
    )
    assert answer.status_code == 413
