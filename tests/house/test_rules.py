"""Rules that a linter doesn't know: where time, commits and pickles may occur, and what every module must have."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "appliance"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "static" not in path.parts)


def lines_with(pattern: str, paths: list[Path]) -> Iterator[str]:
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(pattern, line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def below(*folders: str) -> list[Path]:
    return [path for path in MODULES if any(path.is_relative_to(PACKAGE / folder) for folder in folders)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for_and_stays_a_room(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "a module opens with a docstring that says what it is for"
    assert len(text.splitlines()) <= 500, "a file over 500 lines wants a second room"


def test_time_is_read_in_one_module() -> None:
    others = [path for path in MODULES if path != PACKAGE / "kit" / "clock.py"]
    found = list(lines_with(r"datetime\.(now|utcnow|today)\(|\btime\.time\(\)", others))
    assert not found, f"ask appliance.kit.clock for the time, so that tests can stop it: {found}"


def test_only_the_session_commits() -> None:
    others = [path for path in below("server") if path != PACKAGE / "server" / "db" / "session.py"]
    found = [hit for hit in lines_with(r"\.commit\(\)", others) if "/migrations/" not in hit]
    assert not found, f"one action is one transaction, and only db/session.py ends it: {found}"


def test_the_server_never_unpickles() -> None:
    found = list(lines_with(r"^\s*(import|from)\s+(pickle|cloudpickle|dill|marshal|shelve)\b", below("server")))
    assert not found, f"the server holds metadata and never runs a user's code: {found}"


def test_sql_lies_under_db() -> None:
    outside = [path for path in below("server") if not path.is_relative_to(PACKAGE / "server" / "db")]
    found = list(lines_with(r"\b(select|insert|update|delete)\((?!self)|exec_driver_sql|\btext\(\s*[\"']", outside))
    found = [
        hit
        for hit in found
        if "hashlib" not in hit and ".update(" not in hit and ".delete(" not in hit and "def " not in hit
    ]
    assert not [hit for hit in found if "sqlalchemy" in hit], found


def test_nothing_inside_imports_the_bare_root() -> None:
    found = list(lines_with(r"^\s*(from appliance import (?!config\b|kit\b)|import appliance$)", MODULES))
    assert not found, f"import the module that you need; the front door is for users: {found}"


def test_tests_wait_for_signals() -> None:
    folders = [ROOT / "tests" / name for name in ("unit", "integration", "conformance", "migration")]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    found = list(lines_with(r"\b(time|asyncio)\.sleep\(", paths))
    assert not found, f"wait for a signal instead of the clock: {found}"


def test_nothing_is_left_open() -> None:
    paths = [*MODULES, *(ROOT / "ui" / "src").rglob("*.ts*")]
    found = list(lines_with(r"TODO|FIXME|XXX\b|NotImplementedError", paths))
    assert not found, found


def test_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-node.lock", "ui/package-lock.json"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "sha256:" in text or "sha512-" in text, name
        assert '"resolved"' not in text and "://files" not in text and "index-url" not in text, name


def test_no_generated_file_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    wrong = [
        name for name in tracked if "server/web/static" in name or "server/web/site" in name or "__pycache__" in name
    ]
    assert not wrong, wrong
