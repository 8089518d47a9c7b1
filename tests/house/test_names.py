"""Names that used to stand for two things each stand for one now; a new double needs a name that says what is inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "appliance"
ONCE = {"run", "progress", "texts", "serialize", "serializers", "result_serializers", "caching", "caches"}
"""Names of modules. The command line names its files after its commands and is left out."""


def repeated_modules(modules: list[Path]) -> list[Path]:
    seen = [path for path in modules if path.stem in ONCE and "cli" not in path.parts]
    return [path for path in seen if sum(other.stem == path.stem for other in seen) > 1]


def repeated_roots(sources: Mapping[str, str]) -> list[str]:
    """Where classes called ApplianceError are defined, if in more than one place."""
    places = [name for name, source in sources.items() for class_ in _classes(source) if class_ == "ApplianceError"]
    return places if len(places) > 1 else []


def _classes(source: str) -> Iterator[str]:
    return (node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))


def test_modules_whose_names_were_mistaken_exist_once() -> None:
    assert repeated_modules(list(PACKAGE.rglob("*.py"))) == []


def test_there_is_one_root_of_errors() -> None:
    assert repeated_roots({str(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["engine/run.py", "server/services/run.py"], 2),
        (["engine/run.py", "cli/run.py"], 0),
        (["core/texts.py", "schedules/texts.py", "engine/progress.py"], 2),
    ],
)
def test_a_repeated_module_is_reported(names: list[str], expected: int) -> None:
    assert len(repeated_modules([Path(name) for name in names])) == expected


def test_a_second_root_is_reported() -> None:
    root = "class ApplianceError(Exception): ..."
    assert repeated_roots({"kit/errors.py": root, "core/errors.py": f"if True:\n    {root}"}) == [
        "kit/errors.py",
        "core/errors.py",
    ]
