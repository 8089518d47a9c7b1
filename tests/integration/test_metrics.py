"""The metrics: parsed as Prometheus does, named by its rules, and right about what happened."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from appliance.config import Settings
from appliance.kit import clock
from appliance.protocol.run_protocol import Begin
from appliance.server.actions import rollups
from appliance.server.actions import run_protocol as runs
from appliance.server.app import create_app
from appliance.server.db.reads import rollups as read_rollups
from appliance.server.db.writes.settings import put
from appliance.server.web import totals
from tests.integration import builders
from tests.integration.live import LiveServer
from tests.integration.server_fixtures import Site

UNBOUNDED = {"id", "flow", "run", "name", "user", "path", "agent", "message"}
UNITS = re.compile(r"_(milliseconds|ms|minutes|hours|kilobytes|megabytes|percent)(_|$)")


def _families(site: Site) -> dict[str, Any]:
    answer = site.client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def _value(families: dict[str, Any], name: str, **labels: str) -> float:
    for family in families.values():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    raise AssertionError(name)


def test_names_and_labels_follow_the_rules(site: Site) -> None:
    site.get("/api/v1/flow-runs")
    for family in _families(site).values():
        assert family.documentation, family.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name) and not UNITS.search(family.name), family.name
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket")), family.name
        for sample in family.samples:
            assert UNBOUNDED.isdisjoint(sample.labels), sample
            if family.type == "counter":
                assert sample.name.endswith("_total"), sample
            if family.type == "histogram":
                assert sample.name.endswith(("_bucket", "_count", "_sum")), sample
        if family.type == "histogram":
            assert [sample for sample in family.samples if sample.labels.get("le") == "+Inf"], family.name


def test_a_run_created_for_the_past_did_not_start_late(site: Site) -> None:
    past = clock.now() - timedelta(days=30)
    run = builders.create(site.database, builders.register(site.database).flow_id, scheduled_time=past)
    (work,) = builders.claim(site.database, builders.enrol(site.database))
    assert runs.begin(site.database, builders.RUN, run, Begin(attempt=work.attempt)).verdict == "go"
    families = _families(site)
    assert _value(families, "appliance_flow_run_start_delay_seconds_count") == 1
    assert _value(families, "appliance_flow_run_start_delay_seconds_sum") < 86_400


def test_they_count_what_happened_in_any_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "_CHEAP", float("inf"))  # runs are counted at each scrape, however slow the machine is
    before = _families(site)
    assert _value(before, "appliance_flow_runs_created_total") == 0
    run, _agent = builders.begun(site.database)  # not through this app: as another process would
    builders.send(site.database, run, 1, builders.flow("FAILED", "Failed"))
    builders.create(site.database, builders.register(site.database).flow_id)
    after = _families(site)
    assert _value(after, "appliance_flow_runs_created_total") == 2
    assert _value(after, "appliance_flow_runs_finished_total", state="FAILED") == 1
    assert _value(after, "appliance_flow_runs_finished_total", state="SUCCESS") == 0
    assert _value(after, "appliance_flow_runs", state_type="SCHEDULED") == 1
    assert _value(after, "appliance_flow_runs", state_type="FAILED") == 1
    assert _value(after, "appliance_flow_run_start_delay_seconds_count") == 1
    assert _value(after, "appliance_agents", health="online") == 1
    assert _value(after, "appliance_database_size_bytes") > 10_000
    assert _value(after, "appliance_build_info", version="0.1.0") == 1
    assert _value(after, "process_resident_memory_bytes") > 1_000_000


def test_two_servers_give_the_same_counters(site: Site) -> None:
    builders.create(site.database, builders.register(site.database).flow_id)
    with TestClient(create_app(Settings(), site.database)) as client:
        other = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    assert _value(other, "appliance_flow_runs_created_total") == 1


def test_a_server_that_starts_goes_on_from_the_stored_totals(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, builders.flow("FAILED", "Failed"))
    later = clock.now() + timedelta(minutes=1)  # Postgres' events settle first
    with site.database.write() as session:  # as an earlier release has left it
        newest = session.execute(text("select max(id) from event")).scalar_one()
        put(session, "rollups.position", str(newest), later)
    rollups.advance(site.database, later)
    assert builders.rows(site.database, "select * from run_rollup") == []  # these are counted once
    with site.database.write() as session:
        session.execute(text("delete from event where id < :newest"), {"newest": newest})
    builders.create(site.database, builders.register(site.database).flow_id)
    with TestClient(create_app(Settings(), site.database)) as client:
        found = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    assert _value(found, "appliance_flow_runs_created_total") == 2
    assert _value(found, "appliance_flow_runs_finished_total", state="FAILED") == 1
    assert _value(found, "appliance_flow_run_start_delay_seconds_count") == 1
    with site.database.write() as session:
        put(session, "rollups.totals", '{"last": 9, "delays": {"counts": [1], "sum": 1.0}}', later)
    with site.database.read() as session:  # of other buckets, they are counted again
        assert read_rollups.TOTALS.find(session) is None


def test_requests_are_counted_by_template(site: Site) -> None:
    run = builders.create(site.database, builders.register(site.database).flow_id)
    site.get(f"/api/v1/flow-runs/{run}")
    site.client.get("/api/nothing/at/all")
    text = site.client.get("/metrics").text
    assert str(run) not in text and "at/all" not in text
    found = _families(site)
    template = "/api/v1/flow-runs/{run_id}"
    assert _value(found, "appliance_http_requests_total", route=template, status="2xx") == 1
    assert _value(found, "appliance_http_requests_total", route="unmatched", status="4xx") == 1
    assert _value(found, "appliance_http_request_duration_seconds_count", route=template) == 1


def test_several_workers_count_together(postgres_database: str, tmp_path: Path) -> None:
    old = tmp_path / "data" / "metrics"
    server = LiveServer(tmp_path / "data", APPLIANCE_DATABASE_URL=postgres_database, APPLIANCE_WORKERS="2")
    shared = old / server.url.rpartition(":")[2]
    shared.mkdir(parents=True)
    (shared / "counter_1.db").write_bytes(b"of an earlier start")
    server.start()
    asked = 0
    try:
        while asked < 2_000 and len(list(shared.glob("counter_*.db"))) < 2:
            with ThreadPoolExecutor(8) as pool:  # each on a connection of its own, for any worker to take
                assert set(pool.map(lambda _: httpx2.get(f"{server.url}/healthz").status_code, range(40))) == {200}
            asked += 40
        assert len(list(shared.glob("counter_*.db"))) == 2
        for _ in range(10):
            text = httpx2.get(f"{server.url}/metrics").text
            found = {family.name: family for family in text_string_to_metric_families(text)}
            assert _value(found, "appliance_http_requests_total", route="/healthz") == asked
            assert _value(found, "appliance_http_request_duration_seconds_count", route="/healthz") == asked
            assert "process_resident_memory_bytes" not in found and "appliance_build_info" in found
    finally:
        server.stop()


def test_they_can_be_kept_from_the_public(site: Site) -> None:
    with TestClient(create_app(Settings(metrics_public=False), site.database)) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers=site.headers("viewer")).status_code == 403
        assert client.get("/metrics", headers=site.headers("admin")).status_code == 200
