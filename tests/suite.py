"""`make test`: all tests in four processes; the few that fail beside others are tried once more, alone.

python -m tests.suite [options of pytest]

Four processes with storms, containers, and browsers on two cores starve each other now and then for longer than any patience that a
test can reasonably have. A defect of the product fails alone, too. What passed only alone is named at the end: it is a race, or a
patience that is too short, and somebody has to look at it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST = 5
"""With more failures than this, the change is to blame, and nothing is tried again."""
_TESTS_FAILED = 1
"""pytest's exit code when tests failed; all others say that it could not do its work."""
_FAILED = "APPLIANCE_FAILED_TESTS"
"""The file that this names gets a list of the tests that failed."""
_GROUP = re.compile(r"@[^@\]/]*$")
"""What pytest-xdist adds to the name of a test that belongs to a group; the test alone is not found under that name."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Called by pytest, of which this module is a plugin: writes down what failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(session.config, "workerinput") or reporter is None:
        return
    reports = [report for kind in ("failed", "error") for report in reporter.stats.get(kind, ())]
    Path(os.environ[_FAILED]).write_text(json.dumps([_GROUP.sub("", report.nodeid) for report in reports]))


def run(options: Sequence[str], workers: Sequence[str], tests: Sequence[str] = ("tests",), *, cwd: Path = ROOT) -> int:
    """Run the tests; the exit code of pytest, or 0 when all that failed passed alone."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "failed.json"
        command = [sys.executable, "-m", "pytest", "-q"]
        plugin = "-p", "tests.suite"
        code = _run([*command, *plugin, *workers, *options, *tests], cwd, **{_FAILED: str(written)})
        failed = sorted(set(json.loads(written.read_text()))) if written.exists() else []
        if code != _TESTS_FAILED or not 0 < len(failed) <= MOST:
            return code
        print(f"\n== {len(failed)} failed beside others; once more, alone:", *failed, sep="\n  ", flush=True)
        code = _run([*command, *options, *failed], cwd)
    verdict = "failed again" if code else "passed alone, all others passed at once; to be looked at"
    print(f"== {len(failed)} {verdict}:", *failed, sep="\n  ", flush=True)
    return code


def _run(command: Sequence[str], cwd: Path, **environment: str) -> int:
    with subprocess.Popen(command, cwd=cwd, env=os.environ | environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # pytest gets it, too, and prints what it has
                continue


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], ("-n", "4", "--dist", "loadgroup")))
