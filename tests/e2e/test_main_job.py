"""Write a flow, register it; the appliance runs and shows it: through the command line and the API, with real processes."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.appliance_process import Appliance, until


def test_a_run_watched_to_success(appliance: Appliance) -> None:
    done = appliance.cli("run", "sums", "--project", "tests", "-p", "n=4", "--watch")
    assert done.returncode == 0, done.stderr
    assert "Success" in done.stdout
    assert "the total is 12" in done.stdout
    assert "counting to 4" in done.stdout


def test_flow_runs_as_json_newest_first(appliance: Appliance) -> None:
    first, second = appliance.create_run("sums"), appliance.create_run("sums", n=1)
    appliance.wait_for(second, "SUCCESS")
    appliance.wait_for(first, "SUCCESS")
    done = appliance.cli("get", "flow-runs", "--json")
    runs = json.loads(done.stdout)
    assert [run["id"] for run in runs[:2]] == [second, first]
    assert set(runs[0]) >= {"id", "name", "flow", "state", "state_type", "start_time", "end_time"}
    assert (runs[0]["flow"], runs[0]["state"], runs[0]["state_type"]) == ("sums", "Success", "SUCCESS")


def test_the_history_of_a_run_is_complete(appliance: Appliance) -> None:
    run_id = appliance.create_run("sums", n=5)
    appliance.wait_for(run_id, "SUCCESS")
    states = appliance.items(f"/api/v1/flow-runs/{run_id}/states")
    assert sorted(state["version"] for state in states) == list(range(1, len(states) + 1))
    assert [state["name"] for state in sorted(states, key=lambda state: state["version"])] == [
        "Scheduled",
        "Submitted",
        "Running",
        "Success",
    ]
    tasks = appliance.items(f"/api/v1/flow-runs/{run_id}/task-runs")
    children = [task for task in tasks if task["map_index"] >= 0]
    assert len(children) == 5
    assert {task["state_type"] for task in tasks} == {"SUCCESS"}


def test_a_failed_run_exits_1_and_says_why(appliance: Appliance) -> None:
    done = appliance.cli("run", "fails", "--project", "tests", "--watch")
    assert done.returncode == 1
    assert "ValueError: the oven is cold" in done.stdout
    run = json.loads(appliance.cli("get", "flow-runs", "--json").stdout)[0]
    assert run["state_type"] == "FAILED"


def test_logs_of_a_run(appliance: Appliance) -> None:
    run_id = appliance.create_run("sums", n=2)
    appliance.wait_for(run_id, "SUCCESS")
    done = appliance.cli("logs", run_id)
    assert done.returncode == 0, done.stderr
    assert "the total is 2" in done.stdout


def test_cancel_reaches_the_process(appliance: Appliance, tmp_path: Path) -> None:
    run_id = appliance.create_run("waits", path=str(tmp_path / "never"))
    appliance.wait_for(run_id, "RUNNING")
    pid = appliance.run_pid(run_id)
    done = appliance.cli("cancel", run_id, "--reason", "not today")
    assert done.returncode == 0, done.stderr
    run = appliance.wait_for(run_id, "CANCELLED", seconds=20)
    assert "not today" in run["state_message"] or "ancel" in run["state_message"]
    until("the process is gone", lambda: not Path(f"/proc/{pid}").exists(), 20)


def test_a_killed_process_is_a_crashed_run_within_ten_seconds(appliance: Appliance, tmp_path: Path) -> None:
    run_id = appliance.create_run("waits", path=str(tmp_path / "never"))
    appliance.wait_for(run_id, "RUNNING")
    os.kill(appliance.run_pid(run_id), signal.SIGKILL)
    run = appliance.wait_for(run_id, "FAILED", seconds=10)
    assert run["state"] == "Crashed"
    assert "SIGKILL" in run["state_message"]
    shown = appliance.cli("get", "flow-runs", "--json").stdout
    assert "Crashed" in shown
    tasks = appliance.items(f"/api/v1/flow-runs/{run_id}/task-runs")
    assert not [task for task in tasks if task["state_type"] in ("RUNNING", "PENDING")]


def test_registering_the_same_content_twice_is_one_version(appliance: Appliance) -> None:
    again = appliance.cli("register", str(Path(__file__).parent / "flows" / "flows.py"), "--project", "tests", "--json")
    assert again.returncode == 0, again.stderr
    assert {flow["version"] for flow in json.loads(again.stdout)} == {1}
    assert not any(flow["created"] for flow in json.loads(again.stdout))


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run", "nothing", "--project", "tests"], 2, r"nothing"),
        (["run", "sums", "--project", "nowhere"], 2, r"nowhere"),
        (["run", "sums", "--project", "tests", "-p", "n=abc"], 2, r"'?n'? must be"),
        (["run", "sums", "--project", "tests", "-p", "m=1"], 2, r"m"),
        (["run", "waits", "--project", "tests"], 2, r"path"),
        (["run", "sums", "--project", "tests", "-p", "n"], 2, r"key=json"),
        (["register", "does-not-exist.py", "--project", "tests"], 2, r"does-not-exist"),
        (["logs", "not-an-id"], 2, r"not-an-id"),
        (["get", "nonsense"], 2, r"nonsense"),
    ],
)
def test_bad_input_is_one_sentence(appliance: Appliance, arguments: list[str], code: int, sentence: str) -> None:
    before = len(appliance.items("/api/v1/flow-runs"))
    done = appliance.cli(*arguments)
    assert done.returncode == code, done.stderr
    assert re.search(sentence, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(appliance.items("/api/v1/flow-runs")) == before


def test_a_broken_flow_file_registers_nothing(appliance: Appliance, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("from appliance import Flow\nwith Flow('broken') as flow:\n    1 / 0\n")
    done = appliance.cli("register", str(broken), "--project", "tests")
    assert done.returncode == 2, done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "broken" not in appliance.cli("get", "flows", "--json").stdout


def test_a_wrong_token_is_refused(appliance: Appliance) -> None:
    done = appliance.cli("get", "flows", token="apl_user_wrong")
    assert done.returncode == 2
    assert "token" in done.stderr.lower()


def test_a_server_that_is_not_there_exits_3(appliance: Appliance) -> None:
    done = appliance.cli("get", "flows", APPLIANCE_URL="http://127.0.0.1:9")
    assert done.returncode == 3
    assert "can't be reached" in done.stderr


def test_a_run_of_a_flow_file_changed_after_registration_waits(appliance: Appliance, tmp_path: Path) -> None:
    file = tmp_path / "changing.py"
    file.write_text(
        "from appliance import Flow, task\n@task\ndef one(): return 1\nwith Flow('changing') as flow:\n    one()\n"
    )
    assert appliance.cli("register", str(file), "--project", "tests").returncode == 0
    file.write_text(file.read_text() + "# changed\n")
    run = appliance.create_run("changing")
    waiting = appliance.wait_for(run, "PAUSED")
    assert "changed since it was registered" in waiting["state_message"]
    assert appliance.cli("register", str(file), "--project", "tests").returncode == 0
    appliance.wait_for(run, "SUCCESS")
