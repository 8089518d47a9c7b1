"""The import contracts can break: an import planted for each of them, in a copy of the package, is found by import-linter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTS = {
    "The house: who may import whom": ("kit/ids.py", "import appliance.config"),
    "No modules or packages import each other in a circle": (
        "core/edge.py",
        "def late() -> object:\n    import appliance.core.task\n\n    return appliance.core.task",
    ),
    "Subjects of the task library don't import each other": (
        "tasks/catalogue.py",
        "import appliance.tasks.shell",
    ),
    "The server's floors": ("server/db/reads/agents.py", "import appliance.server.actions.agents"),
    "The server never imports what builds or runs user code": ("server/actions/flows.py", "import appliance.core.flow"),
    "Core, schedules and domain know no framework and do no I/O": ("server/domain/waiting.py", "import sqlalchemy"),
    "Plain runners know no API": ("engine/steps.py", "import appliance.client.transport"),
    "Rows are written by actions, the outbox and sign-in alone": (
        "server/services/late.py",
        "import appliance.server.db.writes.flow_runs",
    ),
}


def contracts() -> list[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return [contract["name"] for contract in tomllib.loads(text)["tool"]["importlinter"]["contracts"]]


def lint(folder: Path) -> str:
    """What import-linter says of a copy of the package below this folder."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    command = [sys.executable, "-c", "import sys; sys.path.insert(0, '.'); import runpy; sys.argv[1:] = ['--no-cache']; "
               f"runpy.run_path({str(lint_imports)!r}, run_name='__main__')"]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("contracts")
    leave_out = shutil.ignore_patterns("static", "site", "__pycache__")
    shutil.copytree(ROOT / "appliance", folder / "appliance", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module, line in PLANTS.values():
        path = folder / "appliance" / module
        path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    return lint(folder)


def test_every_contract_has_a_plant() -> None:
    assert set(contracts()) == set(PLANTS)


@pytest.mark.parametrize("contract", sorted(PLANTS))
def test_a_planted_import_breaks_the_contract(verdicts: str, contract: str) -> None:
    assert re.search(rf"^{re.escape(contract)} BROKEN", verdicts, re.MULTILINE), verdicts
