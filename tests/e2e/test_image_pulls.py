"""Images that can't be had or can't run, with a real engine: each run ends or waits with what the engine says, within a minute, after one attempt."""

from __future__ import annotations

import io
import struct
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import CreateFlowRun
from tests import docker_images
from tests.conformance.agent_kinds import AgentProcess, Docker, docker
from tests.e2e.own_engine import started
from tests.e2e.stub_registry import StubRegistry
from tests.integration.live import LiveServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing()),
]
LONGEST = 60.0
"""Seconds until a run says what is wrong."""
FLOW = """
from appliance import DockerRun, Flow, task

@task
def work():
    pass

with Flow({name!r}, run_config=DockerRun(image={image!r})) as flow:
    work()
"""
_ARM_64 = 183


class AnyImage(Docker):
    """Flows may name any image."""

    def arguments(self, url: str) -> list[str]:
        return [*super().arguments(url), "--allow-image", "**"]


@pytest.fixture
def registry() -> Iterator[StubRegistry]:
    registry = StubRegistry(large=256 * 1024**2)
    yield registry
    registry.close()


class Site:
    """A server with an agent, and a flow for each image, by its name."""

    def __init__(self, folder: Path, host: str, images: Mapping[str, str], stack: ExitStack) -> None:
        self.server = LiveServer(folder / "data").start()
        stack.callback(self.server.kill)
        for name, image in images.items():
            project = folder / name
            project.mkdir()
            (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
            (project / "flows.py").write_text(FLOW.format(name=name, image=image))
            ((flow, found),) = flows_in(project / "flows.py")
            store = SiteStore(self.server.client, "p", print)
            register(flow, "p", transport=self.server.client, storage=store.default(found))
        self.agent = AgentProcess(AnyImage(host), self.server, folder / "agent", "dock")
        stack.callback(lambda: Docker(host).remove(Docker(host).left(self.server, "dock")))
        stack.callback(self.agent.stop)
        self.agent.start()

    def create(self, flow: str) -> UUID:
        return flow_runs.create(self.server.client, CreateFlowRun(project="p", flow=flow)).id

    def says(self, flow: str, run: UUID, state: str, sentence: str) -> None:
        """The run comes to this state, in time and in its first attempt, and says this."""
        began = time.monotonic()
        view = self.server.until(run, lambda view: view.state in ("Paused", "Crashed", "Success", "Failed"))
        print(f"{flow}: {view.state} after {time.monotonic() - began:.1f} s: {view.state_message}")
        assert (view.state, view.attempt) == (state, 1), view
        assert sentence in (view.state_message or ""), view.state_message
        assert time.monotonic() - began < LONGEST


def executable(machine: int) -> bytes:
    """The least that Linux takes for a program, of a processor with this number in ELF."""
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 136, 136, 0x1000) + bytes(16)


@pytest.fixture
def foreign() -> Iterator[str]:
    """An image whose programs are for another processor, which the engine has."""
    target, name = io.BytesIO(), "appliance-test-foreign:latest"
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path in ("usr/bin/python3", "bin/sh"):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(executable(_ARM_64)), 0o755
            archive.addfile(member, io.BytesIO(executable(_ARM_64)))
    subprocess.run(
        ["docker", "import", "--platform", "linux/arm64", "-", name],
        input=target.getvalue(),
        check=True,
        capture_output=True,
    )
    yield name
    docker("rmi", "--force", name)


def test_an_image_that_can_not_be_had_or_not_run_is_named_with_what_the_engine_says(
    registry: StubRegistry, foreign: str, tmp_path: Path
) -> None:
    images = {name: f"{registry.name}/{name}:1" for name in ("missing", "denied", "foreign")} | {"there": foreign}
    ends = {
        "missing": ("Paused", f"Image {images['missing']} could not be pulled: Manifest unknown."),
        "denied": ("Paused", f"Image {images['denied']} could not be pulled: Denied."),
        "foreign": ("Paused", "could not be pulled: No matching manifest for linux/"),
        "there": ("Crashed", f"Image {foreign} is for another processor architecture than its host's"),
    }
    with ExitStack() as stack:
        site = Site(tmp_path, "", images, stack)
        runs = {name: site.create(name) for name in images}
        for name, (state, sentence) in ends.items():
            site.says(name, runs[name], state, sentence)
    assert sorted(set(registry.asked)) == ["denied", "foreign", "missing"]


def test_a_disk_that_an_image_does_not_fit_on_is_named_and_the_run_goes_on_when_there_is_room(
    registry: StubRegistry, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        engine = stack.enter_context(started(disk=128))
        site = Site(tmp_path, engine.host, {"large": f"{registry.name}/large:1"}, stack)
        run = site.create("large")
        site.says("large", run, "Paused", "no space left on device")
        subprocess.run(["mount", "-o", "remount,size=1g", str(engine.folder / "data")], check=True)
        flow_runs.resume(site.server.client, run)
        site.server.until(run, lambda view: view.state == "Crashed")  # there is nothing in the image but the large file
        view = flow_runs.get(site.server.client, run)
        print(view.state_message)
        assert "has no Python" in (view.state_message or ""), view.state_message
