"""From where an agent takes code: its administrator's folders, and never what a registration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from appliance import config
from appliance.agents import execute
from appliance.agents.agent import StartFailed
from appliance.agents.process import ProcessAgent
from appliance.agents.roots import Roots
from appliance.client.transport import Transport
from appliance.kit import added_folders
from appliance.kit.folders import is_open
from appliance.packaging.storage import LoadError, identity
from appliance.protocol.agents import Work


def roots(data: Path, *chosen: str, **settings: str) -> Roots:
    return Roots.of(config.load({"APPLIANCE_DATA_DIR": str(data), **settings}), chosen)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/flows/etl.py", True),
        ("/flows", True),
        ("/flows-of-others/etl.py", False),
        ("/flows/../etc/etl.py", False),
        ("flows/etl.py", False),
        ("/flows/data/etl.py", False),
        ("/flows/data/mine/etl.py", True),
        ("/flows/data/mine/agent/etl.py", False),
        ("/etc/passwd", False),
        ("/", False),
    ],
)
def test_the_innermost_folder_decides(path: str, expected: bool) -> None:
    assert is_open(path, ["/flows", "/flows/data/mine"], ["/flows/data", "/flows/data/mine/agent"]) is expected


def test_by_default_the_folder_of_the_start_and_the_home_are_open_and_the_data_directory_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    usual = roots(here / "data")
    assert usual.open == (str(here), str(home))
    for path in (tmp_path / "f.py", Path("/srv/f.py"), here / "data" / "f.py"):
        assert "in none of the folders" in usual.problem("flow file", str(path))


@pytest.mark.parametrize("where", [".", "agent"])
def test_a_start_or_a_home_in_the_data_directory_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / where).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / where)
    monkeypatch.setenv("HOME", str(tmp_path / where))
    assert roots(tmp_path).open == ()


def test_a_start_in_the_root_of_the_disk_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/")
    assert roots(tmp_path).open == ()


def test_what_is_added_counts_at_once_even_in_the_data_directory_but_not_in_what_the_appliance_keeps_there(
    tmp_path: Path,
) -> None:
    found = roots(tmp_path, "/flows")
    added_folders.add(tmp_path, str(tmp_path))
    assert found.open == ("/flows", str(tmp_path))
    assert found.problem("flow file", str(tmp_path / "f.py")) == ""
    assert found.problem("flow file", str(tmp_path / "agent" / "runs" / "f.py")) != ""
    added_folders.remove(tmp_path, str(tmp_path))
    assert found.open == ("/flows",)


def test_options_replace_the_setting_which_replaces_the_default(tmp_path: Path) -> None:
    setting = {"APPLIANCE_AGENT_ROOTS": "/one:/two: :"}
    assert roots(tmp_path, **setting).open == ("/one", "/two")
    assert roots(tmp_path, "/three", **setting).open == ("/three",)


def test_the_refusal_names_the_command_that_adds_the_folder(tmp_path: Path) -> None:
    sentence = roots(tmp_path, "/flows").problem("flow file", "/srv/new flows/etl.py")
    assert "`appliance agent roots add '/srv/new flows'`" in sentence


@pytest.fixture
def agent(tmp_path: Path) -> ProcessAgent:
    http = httpx2.Client(
        transport=httpx2.MockTransport(lambda _request: httpx2.Response(404)), base_url="http://a.test"
    )
    open_folder = tmp_path / "flows"
    open_folder.mkdir()
    return ProcessAgent(
        Transport("http://a.test", "t", http), name="a", state_dir=tmp_path / "state", roots=Roots((str(open_folder),))
    )


def work(storage: dict[str, Any], **run_config: Any) -> Work:
    return Work(
        flow_run_id=uuid4(), attempt=1, run_token="t", name="r", flow="f", project="p",
        storage=storage, run_config=run_config,
    )  # fmt: skip


def test_the_agent_refuses_what_the_server_lets_pass(agent: ProcessAgent, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "flows" / "link").symlink_to(outside)
    file = {"type": "local", "path": str(tmp_path / "flows" / "f.py"), "flow": "f", "sha256": ""}
    for item, reason in [
        (work({**file, "path": str(outside / "f.py")}), "The flow file .*/outside/f.py is in none of the folders"),
        (work({**file, "path": "f.py"}), "is in none of the folders"),
        (work({**file, "module": "a.b.f"}), "The folder of the module .* is in none of the folders"),
        (work({**file, "module": "a." * 480 + "f"}), "The folder of the module / is in none of the folders"),
        (
            work({**file, "root": str(tmp_path), "files": {"flows/g.py": "0" * 64, "outside/h.py": "0" * 64}}),
            "The folder of the code .*/outside is in none of the folders",
        ),
        (work({**file, "root": str(tmp_path), "files": {"../h.py": "0" * 64}}), "must not contain"),
        (work(file, working_dir=str(outside)), "The working directory .*/outside is in none of the folders"),
        (work(file, working_dir=str(tmp_path / "flows" / "link")), "The working directory .*/link is a link"),
        (work(file, working_dir=str(tmp_path / "state")), "is in none of the folders"),
    ]:
        with pytest.raises(StartFailed, match=reason):
            agent.start(item)


def test_a_run_takes_its_code_only_from_where_the_agent_looked(tmp_path: Path) -> None:
    checked = {"type": "local", "path": str(tmp_path / "f.py"), "flow": "f", "sha256": "0" * 64}
    environ = {
        "APPLIANCE_RUN_ID": str(uuid4()), "APPLIANCE_RUN_ATTEMPT": "1", "APPLIANCE_RUN_TOKEN": "t", "APPLIANCE_URL": "u",
        "APPLIANCE_RUN_DIR": str(tmp_path), "APPLIANCE_RUN_CODE": identity(checked),
    }  # fmt: skip
    assignment = execute.Assignment.take(environ)
    execute.check_place(assignment, {**checked})
    with pytest.raises(LoadError, match="another place of the code"):
        execute.check_place(assignment, {**checked, "path": str(tmp_path / "g.py")})


def test_nothing_outside_is_looked_at(agent: ProcessAgent, tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("x = 1\n")
    for name in ("there.py", "not-there.py"):
        assert agent.code_problem(work({"type": "local", "path": str(tmp_path / name), "flow": "f"})) == ""
        place = {"path": str(tmp_path / "flows" / "f.py"), "root": str(tmp_path), "files": {name: "0" * 64}}
        assert agent.code_problem(work({"type": "local", "flow": "f", **place})) == ""
