"""Processes that die at a crash point, and those that come after them, all forked from one that has compiled every statement before:
there are some hundreds, and compiling would take most of their time.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from appliance.kit import crash
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from tests.chaos import administration
from tests.chaos.administration import Administration
from tests.chaos.judge import judge
from tests.chaos.workload import Workload
from tests.integration.databases import without_fsync

HERE = "sqlite:///file:appliance.db?uri=true"
"""The database in the directory in which a child works."""
MORNING = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
FAILURE = Path("failure.txt")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.warm"])
ADMINISTRATIVE = ("agent.sign_off", "agent.drain", "agent.resume", "agent.forget", "agents.lost", "automation", "delivery", "outage.", "restored.", "soundness.",
    "disk.", "log_search", "outbox.marked", "outbox.picked", "outbox.sent", "presence", "project", "recorded", "retention", "rollup", "run_names", "saved_view", "schedule.move", "secret", "session", "setup", "token", "user",
)  # fmt: skip


def run(folder: Path, work: Callable[..., None], *arguments: Any) -> int | None:
    """Have a child do the work in that directory; its exit code, or minus the signal that ended it."""
    process = PROCESSES.Process(target=_child, args=(folder, work, arguments))
    process.start()
    process.join(60)
    return process.exitcode


def _child(folder: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    try:
        work(*arguments)
    except Exception:  # shown by the test
        FAILURE.write_text(traceback.format_exc(), encoding="utf-8")
        raise SystemExit(1) from None


def opened(url: str) -> Database:
    db = Database(url, rules=Rules(scheduled_runs_ahead=3))
    if url == HERE:
        db.engine = db._reading = warmed().engine
    return db


def script_of(where: str) -> type[Workload | Administration]:
    """The one that passes the point."""
    return Administration if where.startswith(ADMINISTRATIVE) else Workload


def work_until(where: str, url: str = HERE) -> None:
    """The script, to its end or to the crash point."""
    crash.arm(where)
    db = opened(url)
    script_of(where)(db, Path("journal.jsonl"), MORNING).script()
    Path("passes.json").write_text(json.dumps(crash.passes))
    db.dispose()


def fail_and_go_on(where: str) -> None:
    """The same as an exception: the process lives on with its connections, which must have forgotten the transaction."""
    db = opened(HERE)
    crash.arm(f"{where}:1:raise")
    try:
        script_of(where)(db, Path("journal.jsonl"), MORNING).script()
    except crash.Crashed:
        pass
    finally:
        crash.arm("")
    check_after(db, where)


def look_after(where: str, url: str = HERE) -> None:
    """In a process of its own, that knows nothing of the first."""
    check_after(opened(url), where)


def check_after(db: Database, where: str) -> None:
    """Send everything again, let the services settle, and have the judge look."""
    journal = Path("journal.jsonl")
    later = script_of(where)(db, journal, MORNING + timedelta(hours=1))
    later.script()
    later.settle()
    verdict = judge(db, later.time, journal=journal)
    assert verdict.violations == [], str(verdict)
    if isinstance(later, Administration):
        administration.check(db)
    else:
        assert verdict.counts["acknowledged"] > 20
    db.dispose()


@cache
def warmed() -> Database:
    """A database on which both scripts have run, to lend its engine; it has no open connection. Children inherit it."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="appliance-warm-") as folder:
        os.chdir(folder)
        migrate.upgrade(f"sqlite:///{folder}/appliance.db")
        db = without_fsync(Database(HERE, rules=Rules(scheduled_runs_ahead=3)))
        for script in (Workload, Administration):
            script(db, Path("journal.jsonl"), MORNING).script()
        judge(db, MORNING)
        db.dispose()
        os.chdir(before)
    return db
