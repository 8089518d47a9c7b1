"""Hostile flows under the embedded agent: neither the database, nor tokens, nor other processes are theirs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.appliance_process import Appliance, running, until

pytestmark = [
    pytest.mark.xdist_group("security"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the agent a user of its own"),
]


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A folder through which any user can go, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="appliance-security-"))
    folder.chmod(0o755)
    (folder / "flows").mkdir()
    shutil.copy(Path(__file__).with_name("hostile.py"), folder / "flows" / "hostile.py")
    (folder / "open").mkdir()
    (folder / "open").chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def appliance(site: Path) -> Iterator[Appliance]:
    settings = {"APPLIANCE_SECRET_DOOR": "open sesame", "APPLIANCE_AGENT_USER": ""}
    with running(site / "data", roots=str(site / "flows"), **settings) as ready:
        ready.register(str(site / "flows" / "hostile.py"))
        yield ready


def children(pid: int) -> dict[str, int]:
    """The processes that a process has started, by their names."""
    pids = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {Path(f"/proc/{child}/comm").read_text().strip(): child for child in pids}


def real_uid(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:"))
    return int(line.split()[1])


@pytest.fixture(scope="module")
def report(appliance: Appliance, site: Path) -> dict[str, Any]:
    """What the hostile flow got while another run was active."""
    assert appliance.process is not None
    marker = site / "open" / "marker"
    victim = appliance.create_run("victim", marker=str(marker))
    until("the victim runs", marker.exists)
    ours = children(appliance.process.pid)
    own = [pid for name, pid in ours.items() if name == "appl-agent"]
    data = appliance.data_dir
    files = [str(path) for path in data.iterdir() if path.is_file()]
    files.append(str(appliance.log_path.with_name("admin-token")))
    (site / "admin-token").write_text("secret")
    (site / "admin-token").chmod(0o600)
    answer = site / "open" / "report"
    attack = {
        "data": str(data),
        "files": files,
        "pids": [appliance.process.pid, *(pid for pid in ours.values() if pid not in own)],
        "own": [*own, *children(own[0]).values(), appliance.run_pid(victim)],
        "report": str(answer),
    }
    appliance.wait_for(appliance.create_run("hostile", site=attack), "SUCCESS")
    appliance.api("POST", f"/api/v1/flow-runs/{victim}/cancel", {})
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def test_the_agent_and_its_runs_have_a_user_of_their_own_without_capabilities(
    appliance: Appliance, report: dict[str, Any]
) -> None:
    assert appliance.process is not None
    ours = children(appliance.process.pid)
    agent = real_uid(ours["appl-agent"])
    assert agent not in (0, real_uid(ours["appl-server"]), real_uid(ours["appl-services"]))
    assert report["ids"] == [agent, agent, report["ids"][2], []]
    assert report["capabilities"] == ["CapEff:\t0000000000000000"]
    assert report["become root"] == []


def test_files_memory_environments_and_signals_are_refused(report: dict[str, Any]) -> None:
    assert report["got"] == []
    assert report["tokens"] == []


def test_no_process_shows_a_secret_in_its_environment(appliance: Appliance, report: dict[str, Any]) -> None:
    assert report
    assert appliance.process is not None
    ours = children(appliance.process.pid)
    pids = [appliance.process.pid, *ours.values(), *children(ours["appl-agent"]).values()]
    for pid in pids:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        for secret in ("ADMIN_PASSWORD=", "ADMIN_TOKEN=", "SECRET_DOOR=", "RUN_TOKEN="):
            assert f"APPLIANCE_{secret}".encode() not in environ, f"{secret} of {pid}"


def test_nothing_but_the_agents_places_is_open_to_its_user(appliance: Appliance) -> None:
    data = appliance.data_dir
    assert data.stat().st_mode & 0o777 == 0o710
    for path in data.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
        assert (path.stat().st_uid == data.stat().st_uid) == (path.name not in ("agent", "results")), path
    for directory in data.glob("agent/*/runs/*"):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_only_the_owner_of_the_data_can_have_code_taken_from_elsewhere(appliance: Appliance, site: Path) -> None:
    elsewhere = site / "elsewhere"
    elsewhere.mkdir()
    flow = elsewhere / "plain.py"
    flow.write_text(
        "from appliance import Flow, task\n\n@task\ndef one():\n    return 1\n\nwith Flow('plain') as flow:\n    one()\n"
    )
    done = appliance.cli("register", str(flow), "--project", "security")
    assert done.returncode == 2
    assert f"appliance agent roots add {elsewhere}" in done.stderr
    own = {"APPLIANCE_DATA_DIR": str(appliance.data_dir)}
    done = appliance.cli("register", str(flow), "--project", "tests", **own)
    assert done.returncode == 0, done.stderr
    assert f"takes code from {elsewhere} from now on" in done.stderr
    assert appliance.cli("agent", "roots", "list", "--json", **own).stdout.strip() == f'[\n  "{elsewhere}"\n]'
    appliance.wait_for(appliance.create_run("plain"), "SUCCESS")
    closed = site / "closed"
    closed.mkdir(mode=0o700)
    done = appliance.cli("agent", "roots", "add", str(closed), **own)
    assert done.returncode == 1
    assert f"can't enter {closed}" in done.stderr
