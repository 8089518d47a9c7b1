"""What others wrote, in every field that they can fill, through every output: nothing reaches a terminal or passes for a line of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text

from appliance.kit import clock
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
ATTACK = (
    "x\nFORGED\r\x1b]52;c;eA==\x07\x1b]8;;http://e.test\x1b\\c\x1b[8mhidden\x9b1m\x7f\u202e\u200b\ufeff\u00ad\U000e0041"
)
FIELDS = {
    "run": "update flow_run set name = :attack",
    "state": "update flow_run set state_message = :attack",
    "history": "update flow_run_state set message = :attack",
    "flow": "update flow set name = :attack",
    "project": "update project set name = :attack",
    "agent": "update agent set name = :attack, host = :attack",
    "log": "update log set message = :attack",
    "logger": "update log set logger = :attack",
    "slug": "update log set task_slug = :attack",
    "user": "update \"user\" set username = :attack where username = 'viewer'",
    "token": "update api_token set name = :attack",
    "session": "update session set browser = :attack, address = :attack",
}
LISTS = (
    *(
        "get flow-runs",
        "get flows",
        "get schedules",
        "get agents",
        "get task-runs RUN",
        "logs RUN",
        "user list",
        "token list",
    ),
    *("user sessions", "get versions --flow FLOW", "project list", "limit list"),
)
OUTPUTS = [*LISTS, *(f"{command} --json" for command in LISTS), "logs RUN --follow"]


@pytest.fixture
def ended(stocked: Site) -> Site:
    """A site whose run has ended, with a log that has one line."""
    at = clock.isoformat(clock.now())
    log = {"kind": "log", "at": at, "level": "INFO", "logger": "run", "message": "hello", "slug": "load-1"}
    task = {"kind": "task", "slug": "extract-1", "type": "SUCCESS", "name": "Success", "at": at, "message": ATTACK}
    end = {"kind": "flow", "type": "SUCCESS", "name": "Success", "at": at, "message": ATTACK}
    address = f"/api/v1/flow-runs/{stocked.tokens['run id']}"
    assert stocked.post(f"{address}/begin", {"attempt": 1}, "run").status_code == 200
    report = stocked.post(f"{address}/report", {"attempt": 1, "seq": 1, "events": [log, task, end]}, "run")
    assert report.status_code == 200, report.text
    return stocked


def _attack(database: Database, field: str) -> None:
    with database.write() as session:
        session.execute(text(FIELDS[field]), {"attack": ATTACK})


@pytest.mark.slow
@pytest.mark.diagonal
@pytest.mark.parametrize("field", FIELDS)
def test_no_command_lets_it_out(
    ended: Site, run: Callable[..., str], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", ended.tokens["admin"])
    flow = str(builders.one(ended.database, "select id from flow")["id"])
    before = {command: _printed(ended, run, command, flow) for command in OUTPUTS}
    _attack(ended.database, field)
    for command in OUTPUTS:
        printed = _printed(ended, run, command, flow)
        assert printed.replace("\n", "").isprintable(), (command, printed)
        if command.endswith("--json"):
            assert type(json.loads(printed)) is type(json.loads(before[command]))
        else:
            assert not any(line.startswith("FORGED") for line in printed.splitlines()), (command, printed)


def _printed(site: Site, run: Callable[..., str], command: str, flow: str) -> str:
    return run(*command.replace("RUN", site.tokens["run id"]).replace("FLOW", flow).split())


@pytest.mark.parametrize("field", ["log", "logger", "slug"])
def test_a_download_has_one_line_for_each(ended: Site, field: str) -> None:
    _attack(ended.database, field)
    text = ended.get(f"/api/v1/flow-runs/{ended.tokens['run id']}/logs/download").text
    assert text.replace("\n", "").isprintable(), text
    first, *others = text.splitlines()
    assert "x\\nFORGED" in first or all(line.startswith("    ") for line in others)
    assert text.endswith("\n") and len(others) <= 1
