"""Every decision says why it was taken, what was rejected, and which test or contract holds it in place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Context.", "Decision.", "Rejected.", "Held by")
LONGEST = 10
CONTRACTS = {
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


def decisions(text: str) -> list[tuple[str, str]]:
    """Number and title, and the text of each."""
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    return [(section.partition("\n")[0], section.partition("\n")[2].strip()) for section in sections]


def problems(title: str, text: str) -> list[str]:
    wrong = []
    if not re.fullmatch(r"\d+\. \S.*[^.]", title):
        wrong.append("it needs a number and a title without a full stop")
    if len(text.splitlines()) > LONGEST:
        wrong.append(f"it has more than {LONGEST} lines")
    if re.findall(r"^\*\*([^*]+)\*\*", text, re.M) != list(PARTS):
        wrong.append(f"its parts must be {', '.join(PARTS)}")
    return wrong + holder_problems(text.partition("**Held by**")[2])


def holder_problems(holders: str) -> list[str]:
    """What is wrong with the holders: none, or one that does not exist."""
    paths = [path for path in re.findall(r"`([^`\s]+)`", holders) if "/" in path]
    contracts = re.findall(r'"([^"]+)"', holders)
    if not paths and not contracts:
        return ["nothing holds it in place"]
    wrong = [f"{path} does not exist" for path in paths if not (ROOT / path).exists()]
    return wrong + [f'there is no contract "{name}"' for name in contracts if name not in CONTRACTS]


DECISIONS = decisions((ROOT / "DECISIONS.md").read_text())


@pytest.mark.parametrize(("title", "text"), DECISIONS, ids=[title.partition(".")[0] for title, _ in DECISIONS])
def test_a_decision_is_complete_and_held(title: str, text: str) -> None:
    assert problems(title, text) == []


def test_decisions_are_few_and_numbered_in_order() -> None:
    numbers = [int(title.partition(".")[0]) for title, _ in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= 45, "keep what matters to whoever changes the code; the behaviour belongs into docs/pages"


GOOD = "**Context.** A.\n**Decision.** B.\n**Rejected.** C.\n**Held by** `tests/house`."


@pytest.mark.parametrize(
    ("title", "text", "problem"),
    [
        ("1. It ends with a stop.", GOOD, "without a full stop"),
        ("No number", GOOD, "a number"),
        ("1. Long", GOOD.replace("B.", "B.\n" * 9), "more than 10 lines"),
        ("1. Nothing rejected", GOOD.replace("**Rejected.** C.\n", ""), "its parts"),
        ("1. No holder", GOOD.replace("`tests/house`", "good will"), "nothing holds it"),
        ("1. A dead path", GOOD.replace("tests/house", "tests/home"), "tests/home does not exist"),
        ("1. A dead contract", GOOD.replace("`tests/house`", 'the contract "Be good"'), 'no contract "Be good"'),
    ],
)
def test_an_incomplete_decision_is_reported(title: str, text: str, problem: str) -> None:
    assert problems("1. Good", GOOD) == []
    assert problem in " ".join(problems(title, text))
