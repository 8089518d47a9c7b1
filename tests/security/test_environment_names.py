"""What a real appliance lets registrations set in the environment of runs: what its administrator opens, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.appliance_process import TOKEN, Appliance, running

pytestmark = pytest.mark.slow
FLOW = """
import os
from appliance import Flow, LocalRun, task

@task
def tell():
    assert os.environ["{name}"] == "hello"

with Flow("{flow}", run_config=LocalRun(env={{"{name}": "hello"}})) as flow:
    tell()
"""


def write(folder: Path, flow: str, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{flow}.py"
    file.write_text(FLOW.format(flow=flow, name=name))
    return file


def refused(appliance: Appliance, file: Path) -> str:
    done = appliance.cli("register", str(file), "--project", "tests", token=TOKEN)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def test_registrations_set_only_what_the_administrator_opens(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    greeting, team = write(folder, "greeting", "GREETING"), write(folder, "team", "TEAM")
    command = write(folder, "command", "GIT_SSH_COMMAND")
    with running(tmp_path / "data", roots=str(folder)) as appliance:
        assert "env can't set GIT_SSH_COMMAND: for agent 'embedded', it can decide" in refused(appliance, command)
        appliance.register(str(greeting))
        appliance.register(str(team))
        assert appliance.wait_for(appliance.create_run("team"), "SUCCESS", "FAILED")["state_type"] == "SUCCESS"
    opened = {"APPLIANCE_AGENT_ENV_NAMES": "GREETING,GIT_SSH_*,GIT_SSH_COMMAND"}
    with running(tmp_path / "data", roots=str(folder), **opened) as appliance:
        sentence = "env can't set TEAM: for agent 'embedded', it is none of the names that flows may set"
        assert sentence in refused(appliance, team)
        assert "--env-name 'GREETING,GIT_SSH_*,GIT_SSH_COMMAND,TEAM'" in refused(appliance, team)
        appliance.register(str(command))
        for flow in ("greeting", "command"):
            assert appliance.wait_for(appliance.create_run(flow), "SUCCESS", "FAILED")["state_type"] == "SUCCESS"
        run = appliance.wait_for(appliance.create_run("team"), "SUCCESS", "FAILED", "CRASHED")
        assert run["state_type"] in ("FAILED", "CRASHED")
        assert sentence.replace("agent 'embedded'", "this agent") in run["state_message"]
