"""The examples of the task library's page run, and their types hold under `mypy --strict`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.tasks.catalogue import SUBJECTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pages" / "tasks.md").read_text()
TEMPLATE = ROOT / "docs" / "dev" / "tasks.md"
EXAMPLES = dict(re.findall(r'```python title="([\w-]+)\.py"\n(.*?)```', PAGE, re.S))
SETTINGS: dict[str, dict[str, str]] = {
    "shell": {"APPLIANCE_SECRET_TOKEN": "sesame-open"},
}
"""What each example finds in its environment."""


def test_every_subject_has_an_example_and_every_example_is_run() -> None:
    assert set(EXAMPLES) == {subject.name for subject in SUBJECTS} == set(SETTINGS)
    assert PAGE.count("```python") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(EXAMPLES[name])
    done = _python(tmp_path, f"{name}.py", **SETTINGS[name])
    assert done.returncode == 0, done.stderr
    assert " Success." in done.stderr, done.stderr
    for key, value in SETTINGS[name].items():
        assert not key.startswith("APPLIANCE_SECRET_") or value not in done.stdout + done.stderr


@pytest.mark.slow
def test_types_of_the_examples_hold(tmp_path: Path) -> None:
    for name, text in EXAMPLES.items():
        (tmp_path / f"{name}_example.py").write_text(text)
    [template] = re.findall(r'```python title="greeting.py"\n(.*?)```', TEMPLATE.read_text(), re.S)
    (tmp_path / "greeting.py").write_text(template)
    (tmp_path / "mistake.py").write_text(
        "from appliance.tasks.shell import ShellTask\nShellTask(comand='x')\nShellTask(command=1)\nShellTask(max_retries='2')\n"
    )
    done = _python(tmp_path, "-m", "mypy", "--strict", "--config-file", os.devnull, ".", MYPYPATH=str(ROOT))
    wrong = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line.partition(": error:")[0] for line in wrong] == [f"mistake.py:{number}" for number in (2, 3, 4)], (
        done.stdout
    )


def _python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, timeout=170, check=False)
