"""A process dies at each crash point in turn; whoever comes next finds nothing lost, nothing doubled and nothing half done."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from appliance.kit import crash
from tests import depth
from tests.chaos import children
from tests.chaos.children import FAILURE, fail_and_go_on, look_after, script_of, work_until
from tests.integration.databases import empty

pytestmark = pytest.mark.xdist_group("crash points")  # all are forked from one process, which takes seconds to warm up
PACKAGE = Path(crash.__file__).parents[1]
OF_PROCESSES = (
    "agent.claimed",
    "agent.container",
    "agent.created",
    "agent.ended",
    "agent.fetched",
    "agent.job",
    "agent.environment_filled",
    "agent.remembered",
    "agent.reported",
    "agent.results.",
    "agent.secret",
    "agent.started",
    "fork.",
    "runner.",
)
"""Those of agents, runs and the supervisor, which have tests of their own."""

_POINT = re.compile(r'crash\.point\("([^"]+)"\)')
_NAMELESS = re.compile(r"(?:db|database)\.write\((?!name\)|\")")
_TRANSACTION = re.compile(r'\.write\("([^"]+)"[,)]|\balone\(db, .*, "([^"]+)"\)|\bname: str = "(attempt)"')


def points_in_the_sources() -> set[str]:
    """Every name that is written down as a crash point; each named transaction has two."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(_POINT.findall(text))
        for names in _TRANSACTION.findall(text):
            found |= {f"{''.join(names)}.applied", f"{''.join(names)}.committed"}
    return found


OF_SQLITE = {"log_search.follow.applied", "log_search.follow.committed"}
"""Postgres has triggers for it."""
OF_THE_SERVER = sorted(name for name in points_in_the_sources() if not name.startswith(OF_PROCESSES))


def goes_well(folder: Path, *arguments: object) -> None:
    """A child that does this and finds nothing wrong."""
    assert children.run(folder, *arguments) == 0, (folder / FAILURE).read_text(encoding="utf-8")  # type: ignore[arg-type]


@pytest.mark.parametrize("script", ["workload", "session"])
def test_the_scripts_pass_every_point_of_the_server(database_url: str, tmp_path: Path, script: str) -> None:
    """A boundary that no script crosses is one that nothing proves: add a step to tests/chaos/{workload,administration}.py."""
    goes_well(tmp_path, work_until, f"{script}.nowhere", database_url)
    passed = json.loads((tmp_path / "passes.json").read_text())
    mine = {name for name in OF_THE_SERVER if script_of(name) is script_of(script)}
    assert mine - set(passed) - (OF_SQLITE if database_url.startswith("postgresql") else set()) == set()
    goes_well(tmp_path, look_after, script, database_url)


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
        "child",
    )
    assert {f"{name}.{place}" for name in hot for place in ("applied", "committed")} <= set(OF_THE_SERVER)


HOT = ("create", "claim", "report", "sched.run", "watch", "attempt", "overlap.skip", "child")
DYING = [
    name
    for number, name in enumerate(OF_THE_SERVER)
    if depth.is_full() or number % 15 == 0 or name.rpartition(".")[0] in HOT
]
"""The transactions of every run, and some of the others, since a commit is whole whatever is in it; the full depth has all."""


@pytest.mark.parametrize("name", DYING)
def test_dies_at(name: str, sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "appliance.db")
    assert children.run(tmp_path, work_until, f"{name}:1") == crash.EXIT_CODE
    goes_well(tmp_path, look_after, name)


FAILING = OF_THE_SERVER if depth.is_full() else OF_THE_SERVER[::24]
"""What an exception leaves behind is the same for every transaction: some of them prove it."""


@pytest.mark.parametrize("name", FAILING)
def test_fails_at_and_goes_on(name: str, sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "appliance.db")
    goes_well(tmp_path, fail_and_go_on, name)


KEYED = ("keyed", "recorded", "token", "maintenance.begin")
OF_RECOVERY = ("restored.runs", "restored.schedules", "restored.settled", "soundness.record")
KILLING = [
    (name, place)
    for number, name in enumerate((*HOT, *KEYED, *OF_RECOVERY))
    for place in (("applied", "committed") if depth.is_full() else (("applied", "committed")[number % 2],))
]


@pytest.mark.parametrize(("name", "place"), KILLING)
def test_postgres_is_killed_at(name: str, place: str, postgres_database: str, tmp_path: Path) -> None:
    empty(postgres_database)
    assert children.run(tmp_path, work_until, f"{name}.{place}:1:kill", postgres_database) == -9
    goes_well(tmp_path, look_after, name, postgres_database)
