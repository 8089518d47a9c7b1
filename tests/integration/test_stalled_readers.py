"""A client that stops reading must not hold a snapshot: SQLite's log could not be folded and would grow as long as it stalls."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import insert

from appliance.kit import clock
from appliance.server.api.flow_runs import log_text
from appliance.server.api.run_csv import CHECKED_EVERY
from appliance.server.auth.callers import RequestCredentials
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import Unauthenticated
from tests.integration import builders

LINES = 5_000
NOBODY = RequestCredentials()


@pytest.fixture
def run_with_many_lines(database: Database) -> UUID:
    run = builders.create(database, builders.register(database).flow_id)
    with database.write() as session:
        line = {"flow_run_id": run, "at": clock.now(), "level": 20, "logger": "flow", "map_index": -1}
        lines = [{**line, "message": f"line {number}"} for number in range(LINES)]
        session.execute(insert(metadata.tables["log"]), lines)
    return run


def test_a_stalled_download_of_logs_holds_no_snapshot(database: Database, run_with_many_lines: UUID) -> None:
    chunks = log_text(database, NOBODY, run_with_many_lines)
    received = [next(chunks)]
    with database.write() as session:
        session.execute(metadata.tables["log"].update().values(logger="changed"))
    assert database.busy_connections() == 0
    if database.dialect == "sqlite":
        assert database.fold_log()
        assert database.log_bytes() == 0
    received += chunks
    assert [line.rpartition(": ")[2] for line in b"".join(received).decode().splitlines()] == [
        f"line {number}" for number in range(LINES)
    ]


def test_a_download_ends_when_its_reader_has_lost_access(
    database: Database, run_with_many_lines: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: moment)
    chunks = log_text(database, NOBODY, run_with_many_lines)
    assert next(chunks)
    moment += CHECKED_EVERY
    with pytest.raises(Unauthenticated, match="you no longer have access"):
        next(chunks)
