"""A misspelt column is an error of mypy: typos are planted in a copy of the package, and each must be refused where it stands."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER = "appliance/server"


@dataclass(frozen=True)
class Plant:
    """The first `word` of a file becomes `typo`."""

    file: str
    word: str
    typo: str


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("row types")]  # all look at what one run of mypy has found

PLANTS = [
    # columns that are written
    Plant("actions/states.py", '"lease_expires_at"', '"lease_expires_on"'),
    Plant("actions/flow_runs/change.py", '"cancel_requested"', '"cancel_request"'),
    Plant("actions/flow_runs/new_runs.py", '"parent_task_slug"', '"parent_task_slgu"'),
    Plant("actions/flow_runs/restart.py", '"times_resurrected"', '"times_resurected"'),
    Plant("db/writes/states.py", '"actor": actor', '"actr": actor'),
    Plant("db/writes/jobs.py", '"refused"', '"refusals"'),
    Plant("events/outbox.py", '"object_id"', '"objekt_id"'),
    # columns that are read
    Plant("actions/states.py", "run.times_resurrected", "run.times_resurected"),
    Plant("domain/repair.py", "run.times_resurrected", "run.times_resurected"),
    Plant("db/reads/waiting.py", "row.capacity", "row.capasity"),
    Plant("actions/repair.py", "row.start_time", "row.start_tiem"),
    Plant("graphql/types/flows.py", "row.created_by", "row.createdby"),
    Plant("api/views.py", "row.scheduled_time", "row.scheduled_at"),
    Plant("actions/rollups.py", "row.start_time", "row.start_tiem"),
    Plant("auth/sessions.py", "row.csrf_token", "row.crsf_token"),
]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[int]]:
    """The lines that mypy refuses in a copy with all typos, by file. The copy has the times and the cache of the original, so that
    only what was changed is checked again."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copytree(
        ROOT / "appliance", copy / "appliance", ignore=shutil.ignore_patterns("static", "site", "__pycache__")
    )
    shutil.copy2(ROOT / "pyproject.toml", copy)
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    for plant in PLANTS:
        path = copy / SERVER / plant.file
        path.write_text(path.read_text(encoding="utf-8").replace(plant.word, plant.typo, 1), encoding="utf-8")
    files = sorted({f"{SERVER}/{plant.file}" for plant in PLANTS})
    checked = subprocess.run([sys.executable, "-m", "mypy", *files], cwd=copy, capture_output=True, text=True)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    lines: dict[str, set[int]] = {}
    for file, line in re.findall(rf"^{SERVER}/(\S+?):(\d+): error:", checked.stdout, re.MULTILINE):
        lines.setdefault(file, set()).add(int(line))
    return lines


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.file}: {plant.typo}")
def test_a_typo_is_refused(refusals: dict[str, set[int]], plant: Plant) -> None:
    assert lines_of(plant) & refusals.get(plant.file, set()), f"mypy doesn't see {plant.typo} in {plant.file}"


def lines_of(plant: Plant) -> set[int]:
    """The lines of the statement in which the typo is planted; mypy names where it begins, or the part that is wrong."""
    source = (ROOT / SERVER / plant.file).read_text(encoding="utf-8")
    assert plant.word in source, f"{plant.file} has no {plant.word} any more: plant the typo somewhere else"
    line = source[: source.index(plant.word)].count("\n") + 1
    inside = [lines for lines in statements(ast.parse(source)) if line in lines]
    return set(min(inside, key=len))


def statements(tree: ast.AST) -> Iterator[range]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def test_it_can_tell(refusals: dict[str, set[int]]) -> None:
    """What nobody has planted anything in is not refused."""
    untouched = Plant("actions/states.py", "def close_tasks", "def close_tasks")
    assert not lines_of(untouched) & refusals["actions/states.py"]
