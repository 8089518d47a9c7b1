"""`python -m tests.chaos.writes [--points 200]`: a process is killed by the kernel at its n-th write to a file, for many n; then everything
that it acknowledged must be in the database, which must be whole. Needs strace, and leave to trace.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.domain.rules import Rules
from tests import process_guard
from tests.chaos.journal import entries
from tests.chaos.judge import Verdict, judge
from tests.chaos.workload import Workload

MORNING = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
KILLED = 137
WORK = """
import sys
from pathlib import Path
from tests.chaos.writes import MORNING, opened
from tests.chaos.workload import Workload
from tests import process_guard
Workload(opened(Path(sys.argv[1])), Path(sys.argv[1]) / "journal.jsonl", MORNING).script()
"""


def opened(directory: Path) -> Database:
    return Database(f"sqlite:///{directory / 'appliance.db'}", rules=Rules(scheduled_runs_ahead=3))


def can_trace() -> bool:
    """Whether strace is here and may trace."""
    command = shutil.which("strace")
    return command is not None and subprocess.run([command, "-o", "/dev/null", "true"], check=False).returncode == 0


def traced(directory: Path, *options: str) -> int:
    """Do the script's work in a process under strace; its exit code."""
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(directory / "trace"),
        *options,
        sys.executable,
        "-c",
        WORK,
        str(directory),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    return KILLED if done.returncode == -9 else done.returncode


def count_writes(template: Path, directory: Path) -> int:
    """How many writes the whole script makes."""
    shutil.copy(template, directory / "appliance.db")
    assert traced(directory, "-e", "trace=pwrite64") == 0
    return sum("pwrite64(" in line for line in (directory / "trace").read_text().splitlines())


def killed_at(template: Path, directory: Path, n: int) -> Verdict:
    """Kill at the n-th write, send everything again, settle and judge."""
    shutil.copy(template, directory / "appliance.db")
    code = traced(directory, "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={n}")
    assert code == KILLED, f"ended with {code} before write {n}"
    db, journal = opened(directory), directory / "journal.jsonl"
    acknowledged = len(list(entries(journal)))
    verdict = judge(db, MORNING, journal=journal)
    found = [broken for broken in verdict.violations if broken.startswith(("I10", "I12", "I1:", "I2", "I3"))]
    later = Workload(db, journal, MORNING + timedelta(hours=1))
    later.script()
    later.settle()
    verdict = judge(db, later.time, journal=journal)
    verdict.violations += found
    verdict.counts["acknowledged before the kill"] = acknowledged
    db.dispose()
    return verdict


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.writes", description=__doc__)
    options.add_argument("--points", type=int, default=200, help="at how many writes, drawn at random")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    if not can_trace():
        print("not run: strace is not installed, or may not trace")
        return 0
    process_guard.watch()
    with tempfile.TemporaryDirectory(prefix="appliance-writes-") as name:
        home = Path(name)
        migrate.upgrade(f"sqlite:///{home / 'template.db'}")
        (home / "whole").mkdir()
        number = count_writes(home / "template.db", home / "whole")
        chosen = sorted(random.Random(given.seed).sample(range(1, number + 1), min(given.points, number)))
        acknowledged = broken = 0
        for n in chosen:
            directory = home / str(n)
            directory.mkdir()
            verdict = killed_at(home / "template.db", directory, n)
            acknowledged += verdict.counts["acknowledged before the kill"]
            broken += len(verdict.violations)
            for violation in verdict.violations:
                print(f"write {n}: {violation}", flush=True)
            shutil.rmtree(directory)
    print(f"killed at {len(chosen)} of {number} writes, {acknowledged} acknowledged before, {broken} violations")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
