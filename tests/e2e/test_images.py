"""Images of flows with a real engine: built, checked, run by an agent, carried to another engine and to a registry, and removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.client import flows
from appliance.protocol.life_cycle import EditFlow
from tests import docker_images
from tests.e2e import own_engine
from tests.e2e.registry import Registry
from tests.integration.live import TOKEN, LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
]
BASE = "appliance-test-images:latest"
FLOWS = """
from pathlib import Path
import img_tiny
from appliance import Flow, get_logger, task
from .helper import PRICE

@task
def sell():
    get_logger().info(f"sold for {PRICE + img_tiny.MORE} {Path('/data/rates.csv').read_text()} in {Path.cwd()}")

with Flow("day") as day:
    sell()
with Flow("night") as night:
    sell()
"""
PROJECT = """
[project]
name = "img-shop"

[tool.appliance]
project = "p"
storage = {{ type = "docker", base_image = "{base}", name = "appliance-test-flows", requirements = ["img-tiny==1.0"], files = {{ data = "/data" }}{more} }}
"""
OTHER_SDK = (
    "RUN mkdir -p /opt/other/appliance/kit && touch /opt/other/appliance/__init__.py /opt/other/appliance/kit/__init__.py \
&& echo 'VERSION = \\\"0.0.1\\\"' > /opt/other/appliance/kit/version.py"
)


class Site:
    """A server with an index that has one tiny wheel, and a project of two flows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, folder / "project"
        (folder / "wheels").mkdir()
        _write_wheel(folder / "wheels/img_tiny-1.0-py3-none-any.whl")
        self.server = LiveServer(folder / "data", APPLIANCE_WHEELS=str(folder / "wheels")).start()
        (self.project / "img_shop").mkdir(parents=True)
        (self.project / "data").mkdir()
        (self.project / "img_shop/__init__.py").touch()
        (self.project / "img_shop/helper.py").write_text("PRICE = 3\n")
        (self.project / "img_shop/flows.py").write_text(FLOWS)
        (self.project / "data/rates.csv").write_text("pounds")
        self.declare()

    def declare(self, more: str = "") -> None:
        (self.project / "pyproject.toml").write_text(PROJECT.format(base=BASE, more=f", {more}" if more else ""))

    def run(self, *command: str, code: int = 0, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """A command, which ends with this exit code, and never with a traceback. The wheel is installed here, too."""
        path = os.pathsep.join(
            [*sys.path, str(self.folder / "wheels/img_tiny-1.0-py3-none-any.whl"), str(self.folder / "here")]
        )
        own = {"APPLIANCE_URL": self.server.url, "APPLIANCE_TOKEN": TOKEN, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-m", "appliance", *command],
            cwd=self.project, env=ordinary() | own, input=stdin, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code and b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def refusal(self, *command: str, code: int = 2) -> str:
        return self.run(*command, code=code).stderr.decode()


def ordinary() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}


def _write_wheel(path: Path) -> None:
    info = "img_tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("img_tiny.py", "MORE = 4\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: img-tiny\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"img_tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def ours() -> set[str]:
    """What the engine has of these tests: images with or without a name, and containers of checks."""
    images = docker("images", "--quiet", "--no-trunc", "--filter", "label=appliance.project=p").split()
    return {*images, *docker("ps", "--all", "--quiet", "--filter", "name=appliance-check-").split()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    _clear()
    docker_images.build(tmp_path_factory.mktemp("image"), BASE, {})
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.server.kill()
    _clear()


def _clear() -> None:
    """Remove what there is, also of tests that were killed."""
    for name in ours():
        docker("image", "rm", "--force", name)


@pytest.fixture
def agent(site: Site, tmp_path: Path) -> Iterator[None]:
    with docker_agent(site, tmp_path):
        yield


@contextmanager
def docker_agent(site: Site, tmp_path: Path) -> Iterator[None]:
    """An agent of the engine that DOCKER_HOST names."""
    own = {"APPLIANCE_URL": site.server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(tmp_path)}
    options = [
        "--name",
        "dock",
        "--image",
        BASE,
        "--network",
        "host",
        "--allow-image",
        "appliance-test-flows:*",
        "--allow-image",
        "127.0.0.1:*/**",
    ]
    with (tmp_path / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", "agent", "docker", *options], env=ordinary() | own, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "Traceback" not in (tmp_path / "agent.log").read_text()


def pulled_lines(site: Site, flow: str) -> list[str]:
    run = site.server.create(flow)
    view = site.server.until(run, lambda view: view.state in ("Success", "Paused", "Failed", "Crashed"))
    assert view.state == "Success", view
    return site.run("logs", str(run)).stdout.decode().splitlines()


def test_an_image_is_deployed_run_carried_and_pruned(site: Site, agent: None, tmp_path: Path) -> None:
    [built] = json.loads(site.run("image", "build", "--json").stdout)
    assert built["flows"] == ["day", "night"] and built["image"].startswith("appliance-test-flows:")
    deployed = json.loads(site.run("deploy", "--yes", "--json").stdout)
    assert [(one["flow"], one["version"]) for one in deployed] == [("day", 1), ("night", 1)]
    assert "Nothing changes." in site.run("deploy", "--yes").stdout.decode(), (
        "equal sources are one image and one version"
    )
    assert any("sold for 7 pounds in /opt/appliance/flows/img_shop" in line for line in pulled_lines(site, "day"))
    [listed] = json.loads(site.run("image", "list", "--project", "p", "--json").stdout)
    assert (listed["id"], listed["versions"]) == (built["id"], ["p/day 1", "p/night 1"])

    file = tmp_path / "shop.tar"
    site.run("image", "export", built["image"], str(file))
    docker("image", "rm", built["image"])
    assert ours() == set()
    assert built["image"] in site.run("image", "import", str(file)).stdout.decode()
    assert docker("image", "inspect", "--format", "{{.Id}}", built["image"]) == built["id"], "save and load keep the id"
    with file.open("r+b") as archive:
        archive.seek(file.stat().st_size // 2)
        archive.write(b"damage")
    assert "is not what shop.tar.sha256 says" in site.refusal("image", "import", str(file), code=1)
    assert "not an image of flows" in site.run("image", "import", "-", code=1, stdin=b"x" * 2_000).stderr.decode()
    assert "has no image of flows named" in site.refusal("image", "export", BASE, str(file), code=1)

    (site.project / "img_shop/helper.py").write_text("PRICE = 3  # still\n")
    site.run("deploy", "--yes")
    [newer] = ours() - {built["id"]}
    kept = {one["id"]: one["kept"] for one in json.loads(site.run("image", "prune", "--project", "p", "--json").stdout)}
    assert kept == {built["id"]: "needed by p/day 1, p/night 1", newer: "needed by p/day 2, p/night 2"}
    told = site.run("image", "prune", "--project", "p", "--keep", "1").stderr.decode()
    assert "1 image would be removed, which frees at most " in told and ours() == {built["id"], newer}
    site.run("image", "prune", "--project", "p", "--keep", "1", "--yes")
    assert ours() == {newer}
    for flow in flows.each(site.server.client, project="p"):
        flows.edit(site.server.client, flow["id"], EditFlow(archived=True))
    assert "not needed" in site.run("image", "prune", "--project", "p").stdout.decode() and ours() == {newer}
    site.run("image", "prune", "--project", "p", "--yes")
    assert ours() == set()
    for flow in list(flows.each(site.server.client, project="p", archived=True)):
        flows.edit(site.server.client, flow["id"], EditFlow(archived=False))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_an_image_is_carried_to_another_engine_and_run_there(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.declare()
    site.run("deploy", "--yes")
    [built] = json.loads(site.run("image", "list", "--project", "p", "--json").stdout)
    file = tmp_path / "shop.tar"
    site.run("image", "export", built["image"], str(file))
    with own_engine.started() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        assert json.loads(site.run("image", "list", "--project", "p", "--json").stdout) == []
        with docker_agent(site, tmp_path):
            early = site.server.create("day")
            paused = site.server.until(early, lambda view: view.state == "Paused")
            assert "bring it there with `appliance image export`" in (paused.state_message or "")
            assert built["image"] in site.run("image", "import", str(file)).stdout.decode()
            assert docker("image", "inspect", "--format", "{{.Id}}", built["image"]) == built["id"]
            site.run("resume", str(early))
            assert site.server.ended(early).state == "Success"
            assert any("sold for 7 pounds" in line for line in pulled_lines(site, "day"))


def test_what_is_not_right_in_the_image_is_not_registered_and_leaves_nothing(site: Site) -> None:
    before = ours()
    site.declare('commands = ["RUN echo on purpose && exit 3"]')
    refusal = site.refusal("deploy", "--yes")
    assert "The image could not be built: The command '/bin/sh -c echo on purpose && exit 3' returned" in refusal
    assert "    on purpose" in refusal and "Nothing was deployed." in refusal
    site.declare(f'commands = ["{OTHER_SDK}", "ENV PYTHONPATH=/opt/other"]')
    assert "has version 0.0.1 of the appliance's SDK" in site.refusal("image", "build", code=1)
    site.declare()
    (site.folder / "here").mkdir()
    (site.folder / "here/img_only_here.py").touch()
    (site.project / "img_shop/more.py").write_text(
        "import img_only_here\nfrom appliance import Flow\nlate = Flow('late')\n"
    )
    refusal = site.refusal("deploy", "--yes")
    (site.project / "img_shop/more.py").unlink()
    assert (
        "Flow 'late' can't be run in the image: The flow file more.py can't be loaded: ModuleNotFoundError" in refusal
    )
    assert "late" not in [flow["name"] for flow in flows.each(site.server.client)]
    assert ours() == before


def test_an_image_is_pushed_and_its_digest_pinned(site: Site, agent: None) -> None:
    registry = Registry()
    try:
        site.declare(f'registry = "{registry.address}/team"')
        registry.closed = True
        assert "could not be pushed: " in (refusal := site.refusal("deploy", "--yes")) and "docker login" in refusal
        registry.closed = False
        site.run("deploy", "--yes")
        [newest, *_] = flows.versions(site.server.client, next(iter(flows.each(site.server.client, name="day")))["id"])
        docker("image", "rm", "--force", newest["image_id"])
        assert any("sold for 7 pounds" in line for line in pulled_lines(site, "day")), (
            "the agent has pulled it by its digest"
        )
        assert newest["image"].startswith(f"{registry.address}/team/appliance-test-flows:")
    finally:
        registry.close()


def test_without_an_engine_it_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.declare()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    for command in (["deploy", "--dry-run"], ["register", "img_shop", "--project", "p"]):
        assert (
            "The Docker engine can't be reached: No such file or directory. Start it, or set DOCKER_HOST."
            in site.refusal(*command)
        )
    assert "can't be reached" in site.refusal("image", "list", code=1)
