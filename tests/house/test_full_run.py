"""The summary of the full run names every part, and one failure fails it all."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from tests import depth, full_run
from tests.full_run import Part, Result


def script(name: str, code: str) -> Part:
    return Part(name, (sys.executable, "-c", code), full_run.PYTEST_COUNTS)


def test_a_part_is_run_and_its_counts_are_read() -> None:
    result = full_run.run(script("tests", "print('...'); print('== 3 passed, 1 skipped in 0.50s ==')"))
    assert (result.passed, result.counts) == (True, "3 passed, 1 skipped in 0.50s")


def test_a_part_that_fails_is_counted_as_one() -> None:
    result = full_run.run(script("tests", "print('1 failed, 2 passed in 0.50s'); raise SystemExit(1)"))
    assert (result.passed, result.counts) == (False, "1 failed, 2 passed in 0.50s")
    assert not full_run.run(script("gone", "raise SystemExit(3)")).passed


def test_the_summary() -> None:
    storm = Part("storm 1", (), full_run.STORM_COUNTS)
    text = full_run.summary(
        [
            Result(Part("tests", (), ""), 0, 61.2, "3 passed"),
            Result(storm, 1, 9.0, "acknowledged 7, lost 1, doubled 0"),
            Result(storm, -9, 0.0, ""),
        ]
    )
    assert text.splitlines() == [
        "passed  tests     1 min 01 s  3 passed",
        "FAILED  storm 1          9 s  acknowledged 7, lost 1, doubled 0",
        "FAILED  storm 1          0 s  no counts; exit code -9",
        "3 parts in 1 min 10 s: 2 FAILED",
    ]


def test_the_run_fails_when_one_part_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few = [script("one", "pass"), script("two", "raise SystemExit(1)")]
    monkeypatch.setattr(full_run, "parts", lambda _seconds, _seeds: few)
    for options, code in ([], 1), (["--only", "one"], 0), (["--list"], 0):
        monkeypatch.setattr(sys, "argv", ["full_run", *options])
        assert full_run.main() == code
    assert re.search(r"^2 parts in \d+ s: 1 FAILED$", capsys.readouterr().out, re.MULTILINE)


def test_the_full_run_has_storms_on_both_databases() -> None:
    names = [part.name for part in full_run.parts(300, 3)]
    assert len(names) == len(set(names))
    assert sum("storm" in name and "SQLite" in name for name in names) == 3
    assert sum("storm" in name and "Postgres" in name for name in names) == 3


@pytest.mark.parametrize(
    ("name", "markers", "reason"),
    [
        ("quick", {"slow"}, "slow"),
        ("quick", {"full"}, "full"),
        ("quick", {"timeout"}, None),
        ("normal", {"slow"}, None),
        ("normal", {"full", "slow"}, "full"),
        ("full", {"full", "slow"}, None),
    ],
)
def test_what_a_depth_leaves_out(
    name: str, markers: set[str], reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth._Current, "depth", depth.Depth(name))
    assert depth.excluding_marker(markers) == reason
    assert depth.examples(200) == {"quick": 50, "normal": 200, "full": 4_000}[name]


class Case:
    """What pytest knows about a test that runs on each database."""

    def __init__(self, nodeid: str, database: str, marker: str = "diagonal") -> None:
        self.nodeid, self.callspec, self._marker = nodeid, self, marker
        self.params = {"database_url": database}

    def get_closest_marker(self, name: str) -> bool:
        return name == self._marker


@pytest.mark.parametrize(("name", "left_out"), [("normal", ["a[postgres-1]", "a[sqlite-2]"]), ("full", [])])
def test_databases_alternate_where_not_everything_runs_on_both(
    name: str, left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth._Current, "depth", depth.Depth(name))
    cases: list[Any] = [Case(f"a[{db}-{n}]", db) for db in depth.DATABASES for n in (1, 2)]
    cases += [Case(f"b[{db}-1]", db, "slow") for db in depth.DATABASES]
    assert sorted(case.nodeid for case in depth.off_diagonal(cases)) == left_out
