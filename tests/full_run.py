"""`make test-full`: all tests at full depth, then storms on several seeds and both databases, with one summary at the end.

python -m tests.full_run [--only WORD ...] [--seconds N] [--seeds N] [--list]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.kit import clock
from tests import process_guard

ROOT = Path(__file__).resolve().parents[1]
VITEST_COUNTS = r"Tests .*"
PYTEST_COUNTS = r"\d+ (?:passed|failed|error)[^=]* in [\d.]+s.*"
STORM_COUNTS = r"acknowledged \d+, lost \d+, doubled \d+"


@dataclass(frozen=True)
class Part:
    """One command of the full run, and the pattern of the line in its output that counts what it did."""

    name: str
    command: Sequence[str]
    counts: str


@dataclass(frozen=True)
class Result:
    """How a part ended."""

    part: Part
    exit_code: int
    seconds: float
    counts: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


def parts(seconds: float, seeds: int) -> list[Part]:
    """Everything, the part that says most about a change first."""
    return [
        Part("tests of the UI", ("npm", "--prefix", "ui", "run", "test"), VITEST_COUNTS),
        _tests(),
        *(_storm(seed, seconds, postgres) for postgres in (False, True) for seed in range(1, seeds + 1)),
        *_on_both("patience with healthy runs", "tests.chaos.healthy"),
        *_on_both("an outage of ten minutes", "tests.chaos.outage"),
        _module("ten thousand claims of processes", "tests.chaos.claims", "verdict: .*"),
        *_on_both("ten thousand claims", "tests.chaos.many_claims"),
        _module("kills at single writes", "tests.chaos.writes", r"killed at .*|not run: .*", "--points", "200"),
    ]


def _tests() -> Part:
    options = (
        "-q",
        "-n",
        "3",
        "--dist",
        "loadgroup",
        "--durations",
        "20",
        "--depth",
        "full",
        "--timeout",
        "3600",
        "tests",
    )
    return _module("tests at full depth", "pytest", PYTEST_COUNTS, *options)


def _storm(seed: int, seconds: float, postgres: bool) -> Part:
    options = ["--seed", str(seed), "--seconds", f"{seconds:g}", *(["--postgres"] if postgres else [])]
    return _module(f"storm {seed}, {'Postgres' if postgres else 'SQLite'}", "tests.chaos.run", STORM_COUNTS, *options)


def _on_both(name: str, module: str) -> list[Part]:
    databases = {"SQLite": (), "Postgres": ("--postgres",)}
    return [_module(f"{name}, {database}", module, "verdict: .*", *options) for database, options in databases.items()]


def _module(name: str, module: str, counts: str, *options: str) -> Part:
    return Part(name, (sys.executable, "-m", module, *options), counts)


def run(part: Part) -> Result:
    """Run one part with its output passed on line by line."""
    print(f"\n== {part.name}: {' '.join(part.command[1:])}", flush=True)
    began, counts = clock.monotonic(), ""
    with subprocess.Popen(
        part.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if match := re.search(part.counts, line):
                counts = match[0].strip(" =\n")
    return Result(part, process.returncode, clock.monotonic() - began, counts)


def summary(results: Sequence[Result]) -> str:
    """One line for each part, and one for them all."""
    width = max(len(result.part.name) for result in results)
    lines = [
        f"{'passed' if result.passed else 'FAILED'}  {result.part.name:{width}}  {_duration(result.seconds):>11}  "
        f"{result.counts or f'no counts; exit code {result.exit_code}'}"
        for result in results
    ]
    failures = sum(not result.passed for result in results)
    total = _duration(sum(result.seconds for result in results))
    lines.append(
        f"{len(results)} part{'s' * (len(results) != 1)} in {total}: "
        + (f"{failures} FAILED" if failures else "all passed")
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def select_parts(all_parts: Sequence[Part], words: Sequence[str]) -> list[Part]:
    """The parts whose name contains one of the words; all of them without words."""
    return [part for part in all_parts if not words or any(word in part.name for word in words)]


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.full_run", description=__doc__)
    options.add_argument("--only", nargs="+", default=[], metavar="WORD", help="only parts whose name contains a word")
    options.add_argument("--seconds", type=float, default=300.0, help="how long each storm lasts (default 300)")
    options.add_argument("--seeds", type=int, default=3, help="how many storms on each database (default 3)")
    options.add_argument("--list", action="store_true", help="print the parts and run none")
    arguments = options.parse_args()
    selection = select_parts(parts(arguments.seconds, arguments.seeds), arguments.only)
    if not selection:
        options.error("no part has such a name; --list prints them")
    if arguments.list:
        print("\n".join(part.name for part in selection))
        return 0
    process_guard.watch()
    results = [run(part) for part in selection]
    print(f"\n{summary(results)}")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
