"""Tasks for Docker: what a container's output, exit code and end become, on a real engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest

from appliance.core.flow import Flow
from appliance.core.states import TimedOut
from appliance.engine.executors import ThreadExecutor
from appliance.tasks.docker import (
    CreateContainer,
    GetContainerLogs,
    ListContainers,
    ListImages,
    PullImage,
    RemoveContainer,
    RemoveImage,
    RunContainer,
    StartContainer,
    StopContainer,
    TagImage,
    WaitOnContainer,
)
from appliance.tasks.library.errors import CommandFailed, Refused
from appliance.testing import log_lines
from tests import docker_images

IMAGE = docker_images.BASE_IMAGE
pytestmark = pytest.mark.skipif(bool(docker_images.missing()), reason=docker_images.missing())


@pytest.fixture
def name() -> Iterator[str]:
    name = f"appliance-tasks-{uuid4().hex[:12]}"
    yield name
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def test_a_container_runs_to_its_end_and_is_removed(name: str) -> None:
    with log_lines() as lines:
        result = RunContainer(IMAGE, ["sh", "-c", "echo one; echo err >&2; printf two"], container_name=name).run()
    assert (result, sorted(lines.messages)) == ("two", ["err", "one", "two"])
    assert RunContainer(IMAGE, "echo a b", return_all=True, stream_output=False).run() == ["a b"]
    assert ListContainers(all_containers=True, filters={"name": name}).run() == []


def test_an_exit_code_and_a_lack_of_memory_are_said(name: str) -> None:
    with pytest.raises(CommandFailed, match="ended with exit code 3: broken") as failed:
        RunContainer(IMAGE, ["sh", "-c", "echo fine; echo broken >&2; exit 3"], container_name=name).run()
    assert failed.value.code == 3
    eats = ["python3", "-c", "x = bytearray(10**9)"]
    with pytest.raises(CommandFailed, match=r"exit code 137 \(it was out of memory\)"):
        RunContainer(
            IMAGE, eats, container_name=name, extra_docker_kwargs={"mem_limit": "32m", "memswap_limit": "32m"}
        ).run()
    with pytest.raises(Refused, match="no-such-program"):
        RunContainer(IMAGE, "no-such-program", container_name=name).run()
    assert ListContainers(all_containers=True, filters={"name": name}).run() == []


def test_step_by_step(name: str) -> None:
    made = CreateContainer(IMAGE, name, ["sh", "-c", "echo out; echo err >&2; exit 4"]).run()
    assert StartContainer(made).run() == made
    assert WaitOnContainer(name, raise_on_exit_code=False).run() == 4
    with pytest.raises(CommandFailed, match="exit code 4"):
        WaitOnContainer().run(container_id=made)
    assert sorted(GetContainerLogs(made).run().split()) == ["err", "out"]
    assert len(GetContainerLogs(made, tail=1).run().split()) == 1
    [listed] = ListContainers(all_containers=True, filters={"name": name}).run()
    assert listed["Id"] == made
    assert (RemoveContainer(made).run(), RemoveContainer(made).run()) == (True, False)
    with pytest.raises(Refused, match="No such container") as refused:
        StartContainer(made).run()
    assert refused.value.code == 404


def test_waiting_can_be_stopped_and_leaves_the_container(name: str) -> None:
    made = CreateContainer(IMAGE, name, ["sleep", "3600"]).run()
    StartContainer(made).run()
    with Flow("f") as flow:
        task = WaitOnContainer(made, timeout=1.5)()
    assert isinstance(flow.run(executor=ThreadExecutor(1), progress=False).result[task], TimedOut)
    assert len(ListContainers(filters={"name": name}).run()) == 1
    subprocess.run(["docker", "kill", name], capture_output=True, check=True)
    assert StopContainer(made).run() == made
    RemoveContainer(made, force=True).run()
    with pytest.raises(Refused, match="No such container"):
        StopContainer(made).run()


def test_a_container_knows_its_run(name: str) -> None:
    with Flow("f") as flow:
        CreateContainer(IMAGE, name, ["true"])()
    flow.run(progress=False, context={})
    shown = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)[0]["Config"]["Labels"]["appliance.tasks.flow_run_id"]


def test_images() -> None:
    other = f"appliance-tasks-{uuid4().hex[:12]}"
    assert TagImage(IMAGE, other, "v1").run() is True
    [image] = ListImages(other).run()
    assert image["RepoTags"].count(f"{other}:v1") == 1
    assert (RemoveImage(f"{other}:v1").run(), RemoveImage(f"{other}:v1").run()) == (True, False)
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1"):
        PullImage("127.0.0.1:1/nothing").run()
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1"):
        RunContainer("127.0.0.1:1/nothing:x", "true").run()
