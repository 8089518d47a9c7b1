"""Artifacts on their way from the process of a run to the server."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from appliance import Flow, artifacts, task
from appliance.agents.patience import PatientLine
from appliance.agents.run_artifacts import RunArtifacts
from appliance.core import artifacts as core
from appliance.core.artifacts import Artifact
from appliance.protocol.agents import Work
from appliance.server.app import create_app
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from tests.integration import builders
from tests.integration.result_doors import Stopping, begun
from tests.integration.server_fixtures import Site, listening


def artifact(work: Work, **fields: Any) -> Artifact:
    place = {"flow_run_id": str(work.flow_run_id), "task_slug": "extract-1"} | fields
    return Artifact("markdown", b"x", place.pop("key", None), place.pop("title", ""), "run", **place)


@pytest.fixture
def served(site: Site) -> Iterator[tuple[Site, str]]:
    with listening(create_app(site.settings, site.database)) as url:
        yield site, url


def bringer(work: Work, url: str, stopping: Stopping | None = None) -> RunArtifacts:
    return RunArtifacts(PatientLine(url, work.run_token, stopping or Stopping()), work.flow_run_id, work.attempt)


def stored(database: Database) -> list[tuple[Any, ...]]:
    query = "select kind, key, version, task_slug, map_index from artifact order by id"
    return [tuple(row.values()) for row in builders.rows(database, query)]


def test_a_flow_makes_them_and_replaces_them_when_it_runs_again(served: tuple[Site, str]) -> None:
    site, url = served
    work = begun(site.database)

    @task
    def load(n: int) -> None:
        artifacts.table([{"n": n}], key="rows")
        for percent in (0, 100):
            artifacts.progress(percent)

    with Flow("etl") as flow:
        load.map([1, 2])
    one = bringer(work, url)
    for _ in range(2):  # as when its tasks run again
        core.connect(lambda made: one.take(replace(made, flow_run_id=str(work.flow_run_id))))
        try:
            assert flow.run().is_successful()
        finally:
            core.connect(None)
        assert stored(site.database) == [
            ("table", "rows", 1, "load-1", 0),
            ("progress", None, None, "load-1", 0),
            ("table", "rows", 2, "load-1", 1),
            ("progress", None, None, "load-1", 1),
        ]


def test_flows_that_a_task_runs_in_its_own_process_keep_theirs_apart(served: tuple[Site, str]) -> None:
    site, url = served
    work = begun(site.database)
    one = bringer(work, url)
    for run in ("a", "b"):
        one.take(artifact(work, flow_run_id=run, flow_name="inner"))
    one.take(artifact(work))
    assert stored(site.database) == [("markdown", None, None, None, -1)] * 2 + [
        ("markdown", None, None, "extract-1", -1)
    ]


def test_what_the_server_refuses_is_a_warning(served: tuple[Site, str], caplog: pytest.LogCaptureFixture) -> None:
    site, url = served
    work = begun(site.database)
    site.database.rules = Rules(run_artifacts=1)
    one = bringer(work, url)
    one.take(artifact(work))
    with caplog.at_level(logging.WARNING):
        one.take(artifact(work, title="Second", number=1))
    assert "Artifact 'Second' (markdown, 1 byte) was not stored: The appliance keeps at most 1 artifacts" in caplog.text
    assert len(stored(site.database)) == 1


def test_a_run_waits_for_a_server_that_is_away_until_it_must_stop(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    work = begun(database)

    class Briefly(Stopping):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            self.reason = "Cancelled." if self.waits == 3 else None

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stopping = Briefly()
    bringer(work, f"http://127.0.0.1:{port}", stopping).take(artifact(work))
    assert stopping.waits == 3 and "was not stored: " in caplog.text and "can't be reached" in caplog.text
