"""A process dies at each crash point in turn; whoever comes next finds nothing lost, nothing doubled and nothing half done."""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.kit import crash
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from tests.chaos import administration
from tests.chaos.administration import Administration
from tests.chaos.judge import judge
from tests.chaos.workload import Workload
from tests.integration.conftest import empty

PACKAGE = Path(crash.__file__).parents[1]
MORNING = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.workload", "tests.chaos.administration"])
OF_AGENTS_AND_RUNS = {"agent.", "runner."}
ADMINISTRATIVE = (
    "disk.sample", "presence", "project", "retention", "rollup", "schedule.move", "session", "setup", "token", "user",
)  # fmt: skip


_POINT = re.compile(r'crash\.point\("([^"]+)"\)')
_NAMELESS = re.compile(r"(?:db|database)\.write\((?!name\)|\")")
_TRANSACTION = re.compile(r'\.write\("([^"]+)"[,)]|\bonce\(db, .*, "([^"]+)"\)|\bname: str = "(attempt)"')


def points_in_the_sources() -> set[str]:
    """Every name that is written down as a crash point; each named transaction has two."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(_POINT.findall(text))
        for names in _TRANSACTION.findall(text):
            found |= {f"{''.join(names)}.applied", f"{''.join(names)}.committed"}
    return found


OF_THE_SERVER = sorted(name for name in points_in_the_sources() if not name.startswith(tuple(OF_AGENTS_AND_RUNS)))


def opened(url: str) -> Database:
    return Database(url, rules=Rules(scheduled_runs_ahead=3))


def script_of(where: str) -> type[Workload | Administration]:
    """The one that passes the point."""
    return Administration if where.startswith(ADMINISTRATIVE) else Workload


def work(url: str, journal: str, where: str) -> None:
    """In a process of its own: the script, to its end or to the crash point."""
    crash.arm(where)
    db = opened(url)
    script_of(where)(db, Path(journal), MORNING).script()
    Path(journal).with_suffix(".passes").write_text(json.dumps(crash.passes))
    db.dispose()


def run_until_it_dies(url: str, journal: Path, where: str) -> int | None:
    process = PROCESSES.Process(target=work, args=(url, str(journal), where))
    process.start()
    process.join(60)
    return process.exitcode


def check_after(db: Database, journal: Path, where: str = "") -> None:
    """A new process sends everything again, the services settle, and the judge looks."""
    later = script_of(where)(db, journal, MORNING + timedelta(hours=1))
    later.script()
    later.settle()
    verdict = judge(db, later.time, journal=journal)
    assert verdict.violations == [], str(verdict)
    if isinstance(later, Administration):
        administration.check(db)
    else:
        assert verdict.counts["acknowledged"] > 20


@pytest.mark.parametrize("script", ["workload", "session"])
def test_the_scripts_pass_every_point_of_the_server(
    database: Database, database_url: str, tmp_path: Path, script: str
) -> None:
    """A boundary that no script crosses is one that nothing proves: add a step to tests/chaos/{workload,administration}.py."""
    journal = tmp_path / "journal.jsonl"
    assert run_until_it_dies(database_url, journal, f"{script}.nowhere") == 0
    passed = json.loads(journal.with_suffix(".passes").read_text())
    mine = {name for name in OF_THE_SERVER if script_of(name) is script_of(script)}
    assert mine - set(passed) == set()
    check_after(database, journal, script)


def test_every_transaction_has_a_name() -> None:
    """Its two crash points are called after it."""
    nameless = [path.name for path in PACKAGE.rglob("*.py") if _NAMELESS.search(path.read_text(encoding="utf-8"))]
    assert nameless == []


def test_every_hot_transaction_has_crash_points() -> None:
    hot = (
        "create",
        "cancel",
        "claim",
        "begin",
        "report",
        "exit",
        "attempt",
        "sched.run",
        "watch",
        "overlap.skip",
        "register",
    )
    assert {f"{name}.{place}" for name in hot for place in ("applied", "committed")} <= set(OF_THE_SERVER)


@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_dies_at(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url, journal = _sqlite(request, tmp_path), tmp_path / "journal.jsonl"
    assert run_until_it_dies(url, journal, f"{name}:1") == crash.EXIT_CODE
    db = opened(url)
    check_after(db, journal, name)
    db.dispose()


@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_fails_at_and_goes_on(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The same as an exception: the process lives on with its connections, which must have forgotten the transaction."""
    db, journal = opened(_sqlite(request, tmp_path)), tmp_path / "journal.jsonl"
    first = script_of(name)(db, journal, MORNING)
    crash.arm(f"{name}:1:raise")
    try:
        first.script()
    except crash.Crashed:
        pass
    finally:
        crash.arm("")
    check_after(db, journal, name)
    db.dispose()


@pytest.mark.parametrize("name", ["create", "claim", "report", "sched.run", "watch", "attempt", "overlap.skip"])
@pytest.mark.parametrize("place", ["applied", "committed"])
def test_postgres_is_killed_at(
    name: str, place: str, postgres_database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    empty(postgres_database)
    journal = tmp_path / "journal.jsonl"
    assert run_until_it_dies(postgres_database, journal, f"{name}.{place}:1:kill") == -9
    db = opened(postgres_database)
    check_after(db, journal)
    db.dispose()


def _sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "appliance.db")
    return f"sqlite:///{tmp_path / 'appliance.db'}"
