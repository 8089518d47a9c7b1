"""What `make test` does with tests that fail."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import suite

FLAKY = """
import pathlib
mark = pathlib.Path(__file__).with_name("mark")
def test_passes_alone():
    tried = mark.exists()
    mark.touch()
    assert tried
def test_passes():
    pathlib.Path(__file__).with_name("count").open("a").write("x")
"""


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(suite.ROOT))


def run(directory: Path, text: str, options: Sequence[str] = (), workers: Sequence[str] = ()) -> int:
    usual = tomllib.loads((suite.ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]
    (directory / "pyproject.toml").write_text(f'[tool.pytest.ini_options]\naddopts = "{usual}"\n')
    (directory / "test_it.py").write_text(text)
    return suite.run(options, workers, [str(directory)], cwd=directory)


def test_what_passes_alone_passes_and_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, FLAKY) == 0
    assert (tmp_path / "count").read_text() == "x", "only what failed is tried again"
    last = capfd.readouterr().out.splitlines()[-2:]
    assert "passed alone" in last[0]
    assert last[1].strip() == "test_it.py::test_passes_alone"


def test_one_of_a_group_is_tried_again_under_its_own_name(tmp_path: Path) -> None:
    text = FLAKY.replace(
        "def test_passes_alone():",
        "import pytest\n@pytest.mark.xdist_group('one site')\n@pytest.mark.parametrize('it', ['a@b'])\ndef test_passes_alone(it):",
    )
    assert run(tmp_path, text, ("-p", "xdist"), ("-n", "1", "--dist", "loadgroup")) == 0


def test_what_fails_again_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "def test_it():\n    assert False\n") == 1
    assert "failed again" in capfd.readouterr().out


def test_many_failures_are_not_tried_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "".join(f"def test_{number}():\n    assert False\n" for number in range(suite.MOST + 1))
    assert run(tmp_path, text) == 1
    assert "once more" not in capfd.readouterr().out


def test_a_run_that_collects_nothing_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "") == 5


def test_an_error_in_a_fixture_is_tried_again(tmp_path: Path) -> None:
    text = FLAKY.replace("def test_passes_alone():", "import pytest\n@pytest.fixture\ndef it():").replace(
        "def test_passes():", "def test_passes(it):"
    )
    assert run(tmp_path, text) == 0
