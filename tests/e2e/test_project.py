"""A project in src layout, from its files to runs under a real agent: deployed, changed, and tampered with."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.appliance_process import TOKEN, Appliance

EXAMPLE = Path(__file__).parent / "project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "project"))


def lines(appliance: Appliance, run: str) -> str:
    done = appliance.cli("logs", run)
    assert done.returncode == 0, done.stderr
    return done.stdout


def deployed(appliance: Appliance, project: Path) -> dict[str, Any]:
    done = appliance.cli("deploy", str(project), "--yes", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    return dict(answer)


def test_it_runs_as_a_module(project: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "shop.totals"],
        cwd=project / "src",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "42 in here" in done.stderr


def test_a_project_from_its_files_to_its_runs(appliance: Appliance, project: Path) -> None:
    plan = appliance.cli("deploy", str(project), "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "+ shop/totals: new flow, version 1" in plan.stdout
    assert "as shop.totals" in plan.stdout and "with src/shop/__init__.py, src/shop/rates.py" in plan.stdout
    assert re.search(r"code in bundle [0-9a-f]{12}, [\d,]+ bytes to send", plan.stdout)
    assert deployed(appliance, project)["version"] == 1
    assert not deployed(appliance, project)["created"]
    again = appliance.cli("deploy", str(project), "--dry-run", "--json")
    assert json.loads(again.stdout)[0]["sends"] == 0

    sources = project.rename(project.with_name("elsewhere"))
    run = appliance.create_run("totals", "shop")
    appliance.wait_for(run, "SUCCESS")
    assert "shop.totals: 42 in eu" in lines(appliance, run)

    helper = sources / "src" / "shop" / "rates.py"
    helper.write_text(helper.read_text().replace("RATE = 2", "RATE = 3"))
    answer = deployed(appliance, sources)
    assert (answer["version"], answer["changes"]) == (2, ["file src/shop/rates.py changed"])
    shutil.rmtree(sources)
    run = appliance.create_run("totals", "shop")
    appliance.wait_for(run, "SUCCESS")
    assert "shop.totals: 63 in eu" in lines(appliance, run)
    assert len(appliance.items("/api/v1/schedules?project=shop")) == 1


def test_code_that_stays_where_it_is_must_not_change(appliance: Appliance, project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text().replace('project = "shop"', 'project = "local"\nstorage = "local"'))
    assert deployed(appliance, project)["version"] == 1
    helper = project / "src" / "shop" / "rates.py"
    helper.write_text(helper.read_text().replace("RATE = 2", "RATE = 3"))
    waiting = appliance.create_run("totals", "local")
    assert (
        "The file shop/rates.py of flow 'totals' has changed since it was registered"
        in appliance.wait_for(waiting, "PAUSED")["state_message"]
    )
    assert "started" not in lines(appliance, waiting)

    answer = deployed(appliance, project)
    assert (answer["version"], answer["changes"]) == (2, ["file shop/rates.py changed"])
    appliance.wait_for(waiting, "SUCCESS")
    assert "shop.totals: 63 in eu" in lines(appliance, waiting)


PAGES = Path(__file__).parents[2] / "docs" / "pages"
COMMANDS = [
    line.partition("#")[0].strip()
    for page in ("project-layout.md", "deploying.md")
    for block in re.findall(r"```console\n(.*?)```", (PAGES / page).read_text(), re.S)
    for line in block.splitlines()
]


def test_the_commands_of_the_pages_work(appliance: Appliance, project: Path) -> None:
    """In the example project, with the pyproject.toml that the page shows."""
    table = re.search(r'```toml title="pyproject.toml"\n(.*?)```', (PAGES / "deploying.md").read_text(), re.S)
    assert table is not None and len(COMMANDS) == 9
    (project / "pyproject.toml").write_text(table[1])
    programs = {"appliance": [sys.executable, "-m", "appliance"], "python": [sys.executable]}
    shown = ""
    for command in COMMANDS:
        variables, words = [], shlex.split(command)
        while "=" in words[0]:
            variables.append(words.pop(0).split("=", 1))
        environ = {
            **appliance.environment,
            "APPLIANCE_URL": appliance.url,
            "APPLIANCE_TOKEN": TOKEN,
            "PYTHONPATH": f"src{os.pathsep}{PAGES.parents[1]}",
        }
        assert all(environ[name].startswith(value) for name, value in variables)
        done = subprocess.run(
            [*programs[words[0]], *words[1:]],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        shown += done.stdout
    assert 'schedule "Every hour"' in shown and "run config: environment variables GREETING" in shown
