"""What the tests import from the appliance exists: a name that was renamed breaks them only when they are collected, long after `make check`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tests_import_only_what_exists() -> None:
    missing = [problem for path in sorted((ROOT / "tests").rglob("*.py")) for problem in _missing(path)]
    assert not missing, "\n".join(missing)


def test_a_missing_name_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("from appliance.kit.folders import is_open, is_ajar\nfrom appliance.kit import folders, drawers\n")
    assert [problem.partition(": ")[2] for problem in _missing(file)] == [
        "appliance.kit.folders has no is_ajar",
        "appliance.kit has no drawers",
    ]


def _missing(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_ours(node.module or ""):
            names = _names(node.module or "")
            yield from (
                f"{path}:{node.lineno}: {node.module} has no {alias.name}"
                for alias in node.names
                if alias.name not in names
            )


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ("appliance", "tests")


@cache
def _names(module: str) -> frozenset[str]:
    """The modules of a package, and every name that a module binds; strings count, too, since lazy imports are listed as strings."""
    folder = ROOT.joinpath(*module.split("."))
    inner = {path.stem for path in folder.iterdir()} if folder.is_dir() else set()
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return frozenset(inner | (set(_defined(ast.parse(file.read_bytes()))) if file.is_file() else set()))


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
            case ast.Constant(value=str(name)) if name.isidentifier():
                yield name
