"""Runs that work as a local account: what they are then, what of the agent is closed to them, and what is refused. Only root can try it."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from appliance.agents.environments import EnvironmentRules
from appliance.client import flow_runs
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.run_config import decode
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_process_agent import Host
from tests.wheelhouse import wheel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]
USER = "nobody"

FLOWS = """
import json, os, pathlib, sys, threading
from appliance import Flow, ProcessRun, get_logger, task

def refused(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"

@task
def look():
    own = pathlib.Path(os.environ["APPLIANCE_RUN_DIR"])
    umask = os.umask(0)
    status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    found = {
        "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
        "groups": sorted(os.getgroups()),
        "capabilities": int(status["CapPrm"], 16) | int(status["CapEff"], 16),
        "home": [os.environ["HOME"], os.environ["USER"], os.environ["LOGNAME"]],
        "umask": umask,
        "cwd": os.getcwd() == str(own),
        "others": [refused(lambda: list(own.parent.parent.iterdir())), refused((own.parent / "job.json").read_bytes)],
        "token": refused((own.parent / "token").read_bytes),
        "forge": refused(lambda: (own.parent / "job.json").write_text("{}")),
        "root": refused(lambda: os.setuid(0)),
        "agent": refused(pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes),
        "secrets": [name for name in os.environ if "TOKEN" in name],
        "linked": refused(lambda: (own / "exit").symlink_to("/etc/hostname")),
    }
    (own / "exit").unlink()
    get_logger().info(json.dumps(found))

@task
def leave():
    print("last words")
    os._exit(3)

@task
def wait():
    get_logger().info("waiting")
    threading.Event().wait(60)

@task
def pack():
    import tiny
    get_logger().info("tiny %s as %d of %d", tiny.VERSION, os.getuid(), os.stat(sys.prefix).st_uid)

@task
def plain():
    get_logger().info("plain %d", os.getuid())
    return [1]

def run_config(user="nobody", **more):
    return ProcessRun(user=user, **more)

with Flow("looks", run_config=run_config()) as looks:
    look()
with Flow("leaves", run_config=run_config()) as leaves:
    leave()
with Flow("waits", run_config=run_config()) as waits:
    wait()
with Flow("packs", run_config=run_config(requirements=["tiny==1.0"])) as packs:
    pack()
with Flow("plain") as plain_flow:
    plain()
with Flow("daemon", run_config=run_config("daemon")) as daemon:
    look()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    wheels = tmp_path_factory.mktemp("wheels")
    wheel(wheels, "tiny", "1.0")
    data = tmp_path_factory.mktemp("server") / "data"
    live = LiveServer(data, APPLIANCE_WHEELS=str(wheels), APPLIANCE_CANCEL_GRACE="5").start()
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS)
    (folder / "pyproject.toml").write_text("[project]\nname = 'users'\n")
    live.file = folder / "flows.py"  # type: ignore[attr-defined]
    for flow, found in flows_in(folder / "flows.py"):
        register(flow, "p", transport=live.client, storage=SiteStore(live.client, "p", print).default(found))
    yield live
    live.kill()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of the account in one that only root can enter."""
    folder = tmp_path / "results"
    folder.mkdir()
    tmp_path.chmod(0o700)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    return folder


@pytest.fixture
def host(server: LiveServer, results: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
    rules = EnvironmentRules(allowed=True, index_url=f"{server.url}/simple", builds=True)
    with TemporaryDirectory() as state:
        Path(state).chmod(0o755)  # so that not the folder above it keeps the user away
        found = Host(server, Path(state), users=(USER,), environments=rules, results_url=results.as_uri())
        found.start()
        yield found
        found.stop()


def lines(server: LiveServer, run: UUID) -> list[str]:
    return [line.message for line in flow_runs.logs(server.client, run)]


def test_a_run_is_the_account_and_nothing_of_the_agent_is_open_to_it(
    server: LiveServer, host: Host, results: Path
) -> None:
    looked, packed, left, waiting, plain = map(server.create, ("looks", "packs", "leaves", "waits", "plain"))
    ended = server.ended(looked)
    assert ended.state == "Success", (
        f"{ended.state_message} {lines(server, looked)} {flow_runs.states(server.client, looked)[-1]}"
    )
    [found] = [json.loads(line) for line in lines(server, looked) if line.startswith("{")]
    account = pwd.getpwnam(USER)
    assert found == {
        "ids": [account.pw_uid] * 2 + [account.pw_gid] * 2,
        "groups": sorted(os.getgrouplist(USER, account.pw_gid)),
        "capabilities": 0,
        "home": [account.pw_dir, USER, USER],
        "umask": 0o027,
        "cwd": False,  # it is the folder of its code
        "others": ["PermissionError", "PermissionError"],
        "token": "PermissionError",
        "forge": "PermissionError",
        "root": "PermissionError",
        "agent": "PermissionError",
        "secrets": [],
        "linked": "done",
    }
    assert (packs := server.ended(packed)).state == "Success", (packs.state_message, lines(server, packed))
    assert f"tiny 1.0 as {account.pw_uid} of {account.pw_uid}" in lines(server, packed)
    assert server.ended(plain).state == "Success"
    assert {file.stat().st_uid for file in results.rglob("*.pack")} == {account.pw_uid}, lines(server, plain)
    assert f"plain {account.pw_uid}" in lines(server, plain), "the first user is for flows that name none"
    crashed = server.ended(left)
    assert (crashed.state, crashed.state_message) == ("Crashed", "The run's process ended with exit code 3.")

    server.until(waiting, lambda _: "waiting" in lines(server, waiting))
    flow_runs.cancel(server.client, waiting, reason="enough")
    cancelled = server.ended(waiting)
    assert cancelled.state == "Cancelled" and "enough" in (cancelled.state_message or "")


def test_what_an_agent_may_not_or_can_not_do_is_said(server: LiveServer, host: Host) -> None:
    waits = server.until(server.create("daemon"), lambda view: view.wait_code is not None)
    assert waits.wait_code == "no_user" and "starts such runs as user 'daemon': list the user in " in (
        waits.wait_reason or ""
    )

    server.register(server.file)  # type: ignore[attr-defined]  # code that stays where it is, in a folder of root's
    closed = server.ended(server.create("looks"))
    assert f"User nobody can't read {server.file}" in closed.state_message  # type: ignore[attr-defined]


def test_the_document_says_it_and_only_a_name_is_one() -> None:
    assert decode({"type": "process", "user": USER}).user == USER  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="user can't be '0'; write the name of an account"):
        decode({"type": "process", "user": "0"})
