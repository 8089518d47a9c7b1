"""Under which name a flow's file is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from appliance.core.flow_file import PRIVATE, FlowFile


@pytest.mark.parametrize(
    ("file", "packages", "name", "root"),
    [
        ("etl.py", [], "etl", "."),
        ("my-flow.py", [], "my-flow", "."),
        ("my flow.py", [], "my flow", "."),
        ("a/etl.py", [], "etl", "a"),
        ("a/etl.py", ["a"], "a.etl", "."),
        ("a/b/etl.py", ["a", "a/b"], "a.b.etl", "."),
        ("a/b/etl.py", ["a/b"], "b.etl", "a"),
        ("a/__init__.py", ["a"], "a", "."),
        ("a/queue.py", ["a"], "a.queue", "."),
        ("queue.py", [], PRIVATE, "."),
        ("appliance.py", [], PRIVATE, "."),
        ("__main__.py", [], PRIVATE, "."),
        ("pytest.py", [], PRIVATE, "."),
        ("v1.2.py", [], PRIVATE, "."),
        ("queue/etl.py", ["queue"], PRIVATE, "queue"),
    ],
)
def test_the_name_is_the_one_for_import(tmp_path: Path, file: str, packages: list[str], name: str, root: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    for package in packages:
        (tmp_path / package / "__init__.py").touch()
    found = FlowFile.of(path)
    assert (found.name.startswith(PRIVATE), found.root) == (name == PRIVATE, tmp_path / root)
    if name != PRIVATE:
        assert found.name == name


def test_the_author_may_give_the_name(tmp_path: Path) -> None:
    """For packages without an __init__.py, as with `python -m`."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "beside.py").write_text("X = 1\n")
    (tmp_path / "a" / "etl.py").write_text("from .beside import X\n")
    found = FlowFile.of(tmp_path / "a" / "etl.py", "a.etl")
    assert (found.name, found.root) == ("a.etl", tmp_path)
    assert found.load().X == 1


def test_another_file_brings_its_own_neighbors(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside_it.py").write_text(f"X = {name!r}\n")
        (tmp_path / name / "etl_of_it.py").write_text("from beside_it import X\n")
        assert name == FlowFile.of(tmp_path / name / "etl_of_it.py").load().X
    assert str(tmp_path / "first") not in sys.path
