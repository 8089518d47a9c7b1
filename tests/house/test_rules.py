"""Rules that no linter knows. Each stands in one table with the reason for it and with a sample that it must refuse."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "appliance"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "static" not in path.parts)
LONGEST_FILE = 500
WRITING = {"insert", "update", "delete", "BulkInsert", "with_for_update"}
PARTICIPLES = {"found", "wanted", "asked", "told", "shown"}
SENDING = ("execute", "exec_driver_sql", "scalars")
SQLALCHEMY_EVERYWHERE = {("sqlalchemy.orm", "Session")}
"""What the server may know of SQLAlchemy outside db; its errors besides."""


def below(*folders: str) -> list[Path]:
    return [path for path in MODULES if any(path.is_relative_to(PACKAGE / folder) for folder in folders)]


def without(paths: list[Path], *exceptions: str) -> list[Path]:
    return [path for path in paths if not any(path.is_relative_to(PACKAGE / exception) for exception in exceptions)]


def in_tests(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / "tests" / folder).rglob("*.py"))]


def lines_with(pattern: str) -> Callable[[str], Iterator[str]]:
    """A rule by a regular expression."""

    def check(text: str) -> Iterator[str]:
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(pattern, line):
                yield f"{number}: {line.strip()}"

    return check


def lacks_docstring(text: str) -> Iterator[str]:
    if not ast.get_docstring(ast.parse(text)):
        yield "1: no docstring"


def is_too_long(text: str) -> Iterator[str]:
    if (lines := len(text.splitlines())) > LONGEST_FILE:
        yield f"{lines} lines"


def speaks_sql(text: str) -> Iterator[str]:
    """Imports what builds statements, or sends one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("sqlalchemy", "sqlmodel"):
            names = {alias.name for alias in node.names if (node.module, alias.name) not in SQLALCHEMY_EVERYWHERE}
            if names and node.module != "sqlalchemy.exc":
                yield f"{node.lineno}: imports {', '.join(sorted(names))}"
        elif isinstance(node, ast.Import) and any(alias.name.startswith("sql") for alias in node.names):
            yield f"{node.lineno}: imports {node.names[0].name}"
        elif isinstance(node, ast.Call) and node.args and getattr(node.func, "attr", "") in SENDING:
            yield f"{node.lineno}: sends a statement"


def commits(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr == "commit":
            yield f"{node.lineno}: commits"


def has_participles_as_names(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        name = node.id if stored else getattr(node, "arg", None) or getattr(node, "name", None)
        if name in PARTICIPLES and not isinstance(node, ast.keyword | ast.alias):
            yield f"{node.lineno}: {name}"


def only_reads(text: str) -> Iterator[str]:
    """Public functions that select rows and neither write nor lock any, also through what they use of their module."""
    uses = {}
    for node in ast.parse(text).body:
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        name = getattr(node, "name", None) or getattr(targets[0], "id", None)
        if name is not None:
            uses[name] = {getattr(inner, "id", None) or getattr(inner, "attr", None) for inner in ast.walk(node)} - {
                None
            }
    for name in uses:
        reach, rest = set(), {name}
        while rest:
            reach |= rest
            rest = {use for used in rest for use in uses.get(used, ())} - reach
        if not name.startswith("_") and "select" in reach and not reach & WRITING:
            yield f"{name} only reads"


def has_no_hashes_or_has_addresses(text: str) -> Iterator[str]:
    if "sha256:" not in text and "sha512-" not in text:
        yield "no hashes"
    yield from lines_with(r'"resolved"|://files|index-url')(text)


@dataclass(frozen=True)
class Rule:
    reason: str
    check: Callable[[str], Iterator[str]]
    paths: list[Path]
    samples: tuple[str, ...]


RULES = {
    "docstring": Rule(
        "a module opens with a docstring that says what it is for", lacks_docstring, MODULES, ("import os\n",)
    ),
    "length": Rule("a file over 500 lines wants a second room", is_too_long, MODULES, ("x = 1\n" * 501,)),
    "time": Rule(
        "ask appliance.kit.clock for the time, so that tests can stop it",
        lines_with(r"datetime\.(now|utcnow|today)\(|\btime\.time\(\)"),
        without(MODULES, "kit/clock.py"),
        ("now = datetime.now(UTC)",),
    ),
    "commit": Rule(
        "one action is one transaction, and only db/session.py ends it",
        commits,
        without(below("server"), "server/db/session.py", "server/db/migrations"),
        ("session.commit()",),
    ),
    "pickle": Rule(
        "the server holds metadata and never runs a user's code",
        lines_with(r"^\s*(import|from)\s+(pickle|cloudpickle|dill|marshal|shelve)\b"),
        below("server"),
        ("    import cloudpickle",),
    ),
    "sql": Rule(
        "all SQL lies under server/db: give db/reads or db/writes a function",
        speaks_sql,
        without(below("server"), "server/db"),
        (
            "from sqlalchemy import select\nfrom sqlalchemy.orm import Session\n",
            "rows = session.execute(statement).all()",
        ),
    ),
    "sqlite": Rule(
        "open SQLite through server/db/sqlite.py: a second library in one process breaks the first one's locks",
        lines_with(r"^\s*(import|from) (sqlite3|pysqlite3|apsw)\b"),
        [*without(MODULES, "server/db/sqlite.py"), *in_tests("integration")],
        ("import sqlite3", "from sqlite3 import connect"),
    ),
    "read": Rule(
        "what only reads belongs into db/reads; db/writes has locking reads besides what it writes",
        only_reads,
        below("server/db/writes"),
        ("_ONE = select(x)\n\ndef one(session):\n    return session.execute(_ONE).one()\n",),
    ),
    "names": Rule(
        "name a value by what it is and a function by what it does",
        has_participles_as_names,
        MODULES,
        ("found = rows()", "def f(wanted): ...", "def told(): ..."),
    ),
    "root": Rule(
        "import the module that you need; the front door is for users",
        lines_with(r"^\s*(from appliance import (?!config\b|kit\b|schedules\b)|import appliance$)"),
        MODULES,
        ("from appliance import Flow",),
    ),
    "sleep": Rule(
        "wait for a signal instead of the clock",
        lines_with(r"\b(time|asyncio)\.sleep\("),
        in_tests("unit", "integration", "conformance", "migration"),
        ("time.sleep(1)",),
    ),
    "open": Rule(
        "finish it, or leave it out",
        lines_with(r"TODO|FIXME|XXX\b|NotImplementedError"),
        [*MODULES, *sorted((ROOT / "ui" / "src").rglob("*.ts*"))],
        ("raise NotImplementedError",),
    ),
    "lock": Rule(
        "locks hold hashes and no addresses",
        has_no_hashes_or_has_addresses,
        [ROOT / n for n in ("requirements.lock", "requirements-dev.lock", "requirements-node.lock")]
        + [ROOT / "ui" / "package-lock.json"],
        ('{"integrity": "sha512-abc", "resolved": "https://example.invalid/a.tgz"}',),
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert rule.paths
    breaks = [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in rule.paths
        for finding in rule.check(path.read_text(encoding="utf-8"))
    ]
    assert not breaks, f"{rule.reason}: {breaks}"


@pytest.mark.parametrize(("rule", "sample"), [(rule, sample) for rule in RULES.values() for sample in rule.samples])
def test_the_rule_refuses_its_sample(rule: Rule, sample: str) -> None:
    assert list(rule.check(sample))


def test_no_generated_file_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert not generated(tracked)
    assert generated(["appliance/server/web/static/index.html", "appliance/cli/run.py"]) == [
        "appliance/server/web/static/index.html"
    ]


def generated(names: list[str]) -> list[str]:
    return [name for name in names if "server/web/static" in name or "server/web/site" in name or "__pycache__" in name]


def test_reads_of_several_rows_go_on_past_a_damaged_one() -> None:
    """In `db/reads`, only `readable` executes a statement for more than one row; pages are made by `pages.read`."""
    one = {"first", "one_or_none", "one", "scalar", "scalar_one", "scalar_one_or_none"}
    forgotten = []
    for path in sorted((ROOT / "appliance/server/db/reads").glob("*.py")):
        if path.name == "readable.py":
            continue
        tree = ast.parse(path.read_text())
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute":
                after = parents.get(node)
                if not (isinstance(after, ast.Attribute) and after.attr in one):
                    forgotten.append(f"{path.name}:{node.lineno}")
    assert forgotten == [], "use readable.every, rows, scalars, objects or complete"
