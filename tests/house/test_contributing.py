"""The pages for contributors name files, commands and targets that exist, and answer each question with one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
PAGES = [PAGE, *sorted((ROOT / "docs" / "dev").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
FOLDERS = ("appliance/", "tests/", "ui/", "docs/", "deploy/")


def answers(page: str) -> list[tuple[str, list[str]]]:
    """The questions of the map, each with the files that it names."""
    table = page.partition("| question | file |")[2].partition("\n\n")[0]
    rows = [row.strip("|").split("|") for row in table.splitlines()[2:]]
    return [(question.strip(), re.findall(r"`([^`]+)`", answer)) for question, answer in rows]


def missing_names(page: str) -> list[str]:
    """What a page names that does not exist: paths, modules that are run, and targets of make."""
    code = " ".join(re.findall(r"`([^`]+)`", page))
    paths = [word for word in code.split() if word.startswith(FOLDERS) or word in ("pyproject.toml", "DECISIONS.md")]
    paths += [f"{name.replace('.', '/')}.py" for name in re.findall(r"python -m (tests[\w.]+)", code)]
    links = [link for link in re.findall(r"\]\(([^)#]+)", page) if "://" not in link]
    missing = [path for path in [*paths, *links] if not (ROOT / path).exists()]
    return missing + [f"make {name}" for name in re.findall(r"\bmake ([a-z-]+)", code) if name not in TARGETS]


def test_every_question_has_one_file_of_its_own() -> None:
    table = answers(PAGE.read_text())
    assert len(table) >= 15
    assert [question for question, files in table if len(files) != 1] == []
    files = [file for _, (file,) in table]
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert len(files) == len(set(files))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert missing_names(page.read_text()) == []


def test_contributing_is_one_page() -> None:
    assert len(PAGE.read_text().splitlines()) <= 100


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("in `appliance/nowhere.py`", ["appliance/nowhere.py"]),
        ("run `python -m tests.bench.nothing --json x`", ["tests/bench/nothing.py"]),
        ("run `make haste`", ["make haste"]),
        ("see [the page](docs/dev/none.md)", ["docs/dev/none.md"]),
        ("run `make check`, and see [chaos](docs/dev/chaos.md) and `tests/house`", []),
    ],
)
def test_what_does_not_exist_is_reported(text: str, missing: list[str]) -> None:
    assert missing_names(text) == missing


def test_a_question_with_two_files_is_seen() -> None:
    table = answers("| question | file |\n|---|---|\n| Where? | `a.py`, `b.py` |\n| Which? | `c.py` |\n\nmore `d.py`")
    assert table == [("Where?", ["a.py", "b.py"]), ("Which?", ["c.py"])]
