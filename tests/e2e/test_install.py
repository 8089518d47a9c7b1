"""Installing as the page "Install" says: its commands run, in the order of the page, with what `make dist` writes.

Instead of the wheels that `make dist` downloads, there are those of the packages installed here, packed again. Where that is permitted, all of it happens
in a network that leads nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests import networks
from tests.e2e.appliance_process import PASSWORD, TOKEN, Appliance, free_port, running, until
from tests.installs import ROOT, locked_here, wheel_of
from tests.unit.test_sdk_alone import SENTENCE, SERVER
from tests.wheelhouse import wheel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PAGE = (ROOT / "docs" / "pages" / "install.md").read_text()
BLOCKS = re.findall(r"^## (.+?)$|```console\n(.*?)```", PAGE, re.S | re.M)
PROJECT = Path(__file__).parent / "second_project"
ADDRESS = "127.0.0.1:4200"
MEGABYTE = 1_000_000
INSTALLERS = {"pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence.pth"}


def blocks() -> dict[str, list[str]]:
    """The commands of the page by heading."""
    found: dict[str, list[str]] = {}
    heading = ""
    for title, commands in BLOCKS:
        heading = title or heading
        found.setdefault(heading, []).extend([commands] if commands else [])
    return {heading: commands for heading, commands in found.items() if commands}


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    """Whoever looks for something elsewhere fails, as on a site without Internet access."""
    if not networks.are_permitted():
        yield
        return
    with networks.own_network():
        yield


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a site gets."""
    script: dict[str, Any] = runpy.run_path(str(ROOT / "deploy" / "ci" / "dist.py"), run_name="dist")
    folder = tmp_path_factory.mktemp("dist")
    wheels = folder / script["WHEELS"]
    wheels.mkdir()
    own = script["build"](wheels)
    digests = {name: hashlib.sha256(wheel_of(name, wheels).read_bytes()) for name in locked_here("requirements.lock")}
    script["write_metadata"](wheels)
    for name, (requirement, lock) in script["LISTS"].items():
        lines = [f"{each}=={version(each)} --hash=sha256:{digests[each].hexdigest()}\n" for each in locked_here(lock)]
        (folder / "lock").write_text("".join(lines))
        (folder / name).write_text(script["requirements"](requirement, own, folder / "lock"))
    (folder / "lock").unlink()
    (folder / script["SUMS"]).write_text(script["checksums"](folder))
    return folder


@pytest.fixture(scope="module")
def work(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a person works: with what has been carried there, and with a flow."""
    place = tmp_path_factory.mktemp("work") / "dist"
    shutil.copytree(dist, place)
    flow = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert flow is not None
    (place / "first.py").write_text(flow[1])
    (place / "bin").mkdir()
    (place / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (place / "bin" / "python3").chmod(0o755)
    return place


@pytest.fixture(scope="module")
def appliance(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    data = tmp_path_factory.mktemp("site") / "data"
    with running(data, APPLIANCE_WHEELS=str(dist / "wheels")) as site:
        yield site


def environment(work: Path, **more: str) -> dict[str, str]:
    """Nothing of the environment of the tests: no index, no cache, no Python path."""
    path = f"{work / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    quiet = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {"PATH": path, "HOME": str(work), **quiet, **more}


def shell(work: Path, commands: str, **more: str) -> str:
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=work, env=environment(work, **more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def lasting(work: Path, commands: str, ready: Callable[[], object], **more: str) -> Iterator[None]:
    """Commands of which the last one goes on until it is told to stop."""
    rest, _, last = commands.rstrip("\n").rpartition("\n")
    log = work / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-ec", f"{rest}\nexec {last}"],
            **{"cwd": work, "env": environment(work, **more), "stdout": output, "stderr": output},
        )
    try:
        until(f"{last} is ready", lambda: ready() if process.poll() is None else pytest.fail(log.read_text()), 180)
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_the_commands_of_the_page_run(work: Path, dist: Path, appliance: Appliance) -> None:
    todo = {
        heading: [each.replace(ADDRESS, f"127.0.0.1:{appliance.port}") for each in commands]
        for heading, commands in blocks().items()
    }
    public, closed = todo.pop("From the appliance's own index")
    assert "Success" in shell(work, public)
    check_the_sdk(work)
    with running(work / "closed", APPLIANCE_WHEELS=str(dist / "wheels"), APPLIANCE_WHEELS_PUBLIC="false") as other:
        mine = closed.replace(f":{appliance.port}", f":{other.port}")
        assert "appliance-flows[live]" in mine
        shell(work, mine, APPLIANCE_TOKEN=TOKEN)
    assert "rich" in packages(work / ".venv")
    [hashes] = todo.pop("With hashes")
    shell(work, "rm -r .venv\npython3 -m venv .venv\n" + hashes)
    assert packages(work / ".venv") == sdk()
    check_that_another_file_is_refused(work, hashes)
    [agent] = todo.pop("On the host of an agent")
    wheel(dist / "wheels", "tiny", "1.0")
    check_the_agent(work, agent, appliance)
    [server] = todo.pop("The server, without any index")
    check_the_server(work, server)
    [upgrade] = todo.pop("Upgrade")
    assert "appliance-flows" in shell(work, upgrade)
    assert not todo, "run these commands too"


def check_the_sdk(work: Path) -> None:
    """It is small, and has no library of the server."""
    assert packages(work / ".venv") == sdk()
    size = installed_bytes(work / ".venv")
    print(f"The SDK takes {size / MEGABYTE:.1f} MB with its dependencies.")
    assert size < 46 * MEGABYTE
    code = f"from importlib.util import find_spec; print(*[name for name in {sorted(SERVER)} if find_spec(name)])"
    assert shell(work, f'.venv/bin/python -c "{code}"').split() == []
    code = "import runpy, sys; runpy.run_path('first.py', run_name='__main__'); print(*sys.modules)"
    loaded = shell(work, f'.venv/bin/python -c "{code}"').split()
    assert "appliance.engine.run" in loaded and not {name.partition(".")[0] for name in loaded} & SERVER
    assert "Schedule, run, and monitor" in shell(work, ".venv/bin/appliance --help")
    assert shell(work, ".venv/bin/appliance start || test $? = 2") == SENTENCE


def check_that_another_file_is_refused(work: Path, hashes: str) -> None:
    list_of_hashes = (work / "requirements-sdk.txt").read_text()
    other = re.sub(r"(?<=--hash=sha256:).", lambda digit: "1" if digit[0] == "0" else "0", list_of_hashes, count=1)
    (work / "other.txt").write_text(other)
    command = hashes.replace("requirements-sdk.txt", "other.txt").replace(
        "pip install", "pip install --force-reinstall"
    )
    assert "DO NOT MATCH THE HASHES" in shell(work, command.strip() + " || true")


def check_the_agent(work: Path, commands: str, appliance: Appliance) -> None:
    """It takes runs, and registers flows, without anything of a server."""
    made = appliance.cli("token", "create", "warehouse", "--scope", "agent", "--json")
    (work / "agent-token").write_text(re.findall(r"apl_agent_[\w-]+", made.stdout)[0])

    def is_online() -> bool:
        agents = appliance.get("/api/v1/agents")["items"]
        return any(agent["name"] == "warehouse" for agent in agents)

    client = {"APPLIANCE_URL": appliance.url, "APPLIANCE_TOKEN": TOKEN}
    with lasting(work, commands, is_online, APPLIANCE_AGENT_ENVIRONMENTS="true"):
        shell(work, "agent/bin/appliance register first.py --project demo", **client)
        run = "agent/bin/appliance run first --project demo --label warehouse -p n=5 --watch"
        assert "Success" in shell(work, run, **client)
        [run_id] = [item["id"] for item in appliance.items("/api/v1/flow-runs")]
        assert appliance.run(run_id)["state_type"] == "SUCCESS"
        check_a_project_without_its_sources(work, appliance, client)


def check_a_project_without_its_sources(work: Path, appliance: Appliance, client: dict[str, str]) -> None:
    """The agent works in another folder, gets the code from the server, and the packages from the appliance's index."""
    place = Path(shutil.copytree(PROJECT, work.parent / "deployed"))
    shell(place, f"{work}/agent/bin/appliance deploy --yes", **client)
    shutil.rmtree(place)
    shell(work, "printf 0123456789 | agent/bin/appliance secret set STOCK_KEY --project stock", **client)
    said = shell(work, "agent/bin/appliance run stock/levels --label warehouse --watch", **client)
    assert "3 dozen with tiny 1.0 and a key of 10 characters" in said and "Success" in said
    assert "Built environment" in said and "0123456789" not in said
    [planned] = appliance.items("/api/v1/schedules?project=stock")
    assert planned["flow"] == "levels"


def check_the_server(work: Path, commands: str) -> None:
    assert "/var/lib/appliance" in commands
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    settings = {
        "APPLIANCE_PORT": str(port),
        "APPLIANCE_ADMIN_PASSWORD": PASSWORD,
        "APPLIANCE_AGENT_USER": str(os.geteuid()),
        "APPLIANCE_DISK_RESERVE_BYTES": "1048576",
    }
    data = work / "server-data"
    with lasting(work, commands.replace("/var/lib/appliance", str(data)), is_ready, **settings):
        shutil.copytree(work / "wheels", data / "wheels")
        assert "appliance_flows-" in httpx.get(f"{url}/simple/appliance-flows/").text


def sdk() -> set[str]:
    return {*locked_here("requirements-sdk.lock"), "appliance-flows"}


def packages(venv: Path) -> set[str]:
    [site] = (venv / "lib").glob("python3*/site-packages")
    names = {re.sub(r"[-_.]+", "-", info.name.split("-")[0]).lower() for info in site.glob("*.dist-info")}
    return names - {"pip", "setuptools"}


def installed_bytes(venv: Path) -> int:
    """On the disk, as du counts it, without what every virtual environment has."""
    [site] = (venv / "lib").glob("python3*/site-packages")
    own = [each for each in site.iterdir() if each.name.split("-")[0] not in INSTALLERS and each.name not in INSTALLERS]
    files = [file for each in own for file in ([each] if each.is_file() else each.rglob("*"))]
    return sum(file.lstat().st_blocks * 512 for file in files)
