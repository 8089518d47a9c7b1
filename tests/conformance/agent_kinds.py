"""The kinds of agents that tests/conformance/test_agents.py goes through: how each is started, and how a test reaches what it has started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest

from appliance.agents import kubernetes_jobs as jobs
from appliance.agents.agent import Agent
from appliance.agents.attempts import AttemptStore, process_identity
from appliance.agents.container_rules import ContainerRules
from appliance.agents.docker import DockerAgent
from appliance.agents.kubernetes import KubernetesAgent
from appliance.agents.kubernetes_cluster import JOBS, PODS, Cluster
from appliance.agents.kubernetes_rules import KubernetesRules
from appliance.agents.process import ProcessAgent
from appliance.client.transport import Transport
from appliance.packaging.docker_engine import Engine
from tests import docker_images
from tests.e2e.appliance_process import clean_environment, until
from tests.integration.live import TOKEN, LiveServer
from tests.kubernetes.cluster import FakeCluster
from tests.roots import ANYWHERE

_INSTALLED = """
from appliance import Flow, get_logger, task

@task
def say():
    get_logger().info("from the image")

with Flow("installed") as flow:
    say()
"""


class AgentKind(ABC):
    """What the suite needs to know of a kind of agents."""

    name: ClassVar[str]
    points: ClassVar[Mapping[str, int]]
    """Crash points on the way to a run's start, in this order, and the attempt in which the run succeeds if the agent dies there."""
    lacking: ClassVar[tuple[str, str, str]]
    """A run config (Python) for which an agent has not all that is needed, the state in which a run then is, and a part of the sentence that says why."""
    scarce: ClassVar[tuple[str, str] | None] = None
    """A run config with little memory, and a part of the sentence about a run that needs more. None: this kind can't tell."""
    peak_of_scarce: ClassVar[int | None] = None
    """The peak memory in bytes that is recorded of it, although it was killed."""
    finds_unrecorded: ClassVar[bool] = True
    """Whether an agent that has lost its folder finds what an earlier one has started."""
    keeps_lines: ClassVar[bool] = True
    """Whether an agent delivers all lines that a run had no time to send. If not, it delivers the last ones of the run's output."""

    prefix: Sequence[str] = ()
    """What stands before the command that starts an agent, if it is to run elsewhere."""

    def missing(self) -> str:
        """Why there is nothing to test with; empty if there is."""
        return ""

    def prepare(self, folder: Path) -> None:  # noqa: B027 - most kinds need nothing
        """Called once, before the first agent starts. The folder is empty."""

    @abstractmethod
    def arguments(self, url: str) -> list[str]:
        """What follows `appliance agent` on the command line, with the server's URL."""

    def settings(self) -> dict[str, str]:
        """What a server needs to have such agents."""
        return {}

    def environment(self) -> dict[str, str]:
        """What an agent needs in its environment, beside the server's address, the token and the data directory, or instead of them."""
        return {}

    @abstractmethod
    def inside(self, transport: Transport, name: str, folder: Path) -> Agent:
        """An agent in this process, whose loop is not started."""

    @abstractmethod
    def running(self, agent: AgentProcess, run: UUID) -> list[str]:
        """What is there of a run now: the process, container or pod of each attempt that has started and not ended."""

    @abstractmethod
    def kill(self, agent: AgentProcess, run: UUID) -> None:
        """SIGKILL for what is there of a run."""

    @abstractmethod
    def wait(self, agent: AgentProcess, run: UUID) -> None:
        """Wait until nothing runs there any more."""

    def left(self, server: LiveServer, name: str) -> list[str]:
        """What there is of runs that agents of this name have started for this server, whether they have ended or not, and that is not to stay."""
        return []

    def remove(self, left: Sequence[str]) -> None:  # noqa: B027 - most kinds leave nothing
        """Remove what a test that failed has left."""


class AgentProcess:
    """`appliance agent ...`, which can be killed. It takes the runs that have its name as a label."""

    def __init__(self, kind: AgentKind, server: LiveServer, folder: Path, name: str, capacity: int = 8) -> None:
        self.kind, self.server, self.folder, self.name, self.capacity = kind, server, folder, name, capacity
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> AgentProcess:
        """`crash_at`: a crash point at which it kills itself."""
        own = {"APPLIANCE_URL": self.server.url, "APPLIANCE_TOKEN": TOKEN, "APPLIANCE_DATA_DIR": str(self.folder)}
        armed = {"APPLIANCE_CRASH": f"{crash_at}:1:kill"} if crash_at else {}
        options = ["--name", self.name, "--label", self.name, "--slots", str(self.capacity)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self.kind.prefix,
                    *(sys.executable, "-m", "appliance", "agent", "start"),
                    *self.kind.arguments(self.server.url),
                    *options,
                ],
                env=clean_environment(**{**own, **armed, **self.kind.environment()}),
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def state_dir(self) -> Path:
        """Where it keeps track of its runs."""
        return self.folder / "agent" / self.name

    def died(self) -> None:
        """Wait until it is dead by its own crash point."""
        assert self._process is not None and self._process.wait(60) == -signal.SIGKILL, self.log.read_text()

    def kill(self) -> None:
        """SIGKILL. What it has started goes on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and its end in order; does nothing if it is dead."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)


class Process(AgentKind):
    name = "process"
    points = {"agent.claimed": 2, "agent.created": 2, "agent.started": 1, "agent.remembered": 1}
    lacking = ('ProcessRun(working_dir="/nowhere")', "Crashed", "working directory /nowhere")
    finds_unrecorded = False

    def arguments(self, _url: str) -> list[str]:
        return ["process"]

    def inside(self, transport: Transport, name: str, folder: Path) -> Agent:
        return ProcessAgent(transport, name=name, state_dir=folder, roots=ANYWHERE, warm=False)

    def running(self, agent: AgentProcess, run: UUID) -> list[str]:
        records = [record for _, record, _ in AttemptStore(agent.state_dir).load() if record.flow_run_id == run]
        return [str(record.pid) for record in records if process_identity(record.pid) == record.identity]

    def kill(self, agent: AgentProcess, run: UUID) -> None:
        for pid in self.running(agent, run):
            os.kill(int(pid), signal.SIGKILL)

    def wait(self, agent: AgentProcess, run: UUID) -> None:
        for pid in self.running(agent, run):
            with suppress(ProcessLookupError):
                process = os.pidfd_open(int(pid))
                assert select.select([process], [], [], 60)[0], f"process {pid} does not end"
                os.close(process)


class Docker(AgentKind):
    name = "docker"
    image = "appliance-test-sdk:latest"
    files: ClassVar[Mapping[str, str]] = {
        "shopflows.py": _INSTALLED,
        "shopflows-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: shopflows\nVersion: 1.0\n",
    }
    """A distribution that the image has beside the SDK."""

    def __init__(self, host: str = "") -> None:
        """`host`: the engine's address, if it is not that of this machine."""
        self.host = host

    points = {
        "agent.claimed": 2,
        "agent.created": 2,
        "agent.container": 2,
        "agent.remembered": 2,
        "agent.started": 1,
    }
    lacking = ('DockerRun(image="none:1", pull="never")', "Paused", "Image none:1 is not on the machine")
    scarce = ('DockerRun(memory="96m")', "more memory than its limit of 96 MiB (OOM)")
    peak_of_scarce = 96 * 1024**2

    def missing(self) -> str:
        return docker_images.missing()

    def prepare(self, folder: Path) -> None:
        docker_images.build(folder, self.image, self.files)

    def arguments(self, _url: str) -> list[str]:
        return ["docker", "--image", self.image, "--allow-image", "none:*", "--network", "host"]

    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host} if self.host else {}

    def inside(self, transport: Transport, name: str, folder: Path) -> Agent:
        rules = ContainerRules(image=self.image, network="host")
        return DockerAgent(transport, name=name, state_dir=folder, engine=Engine(), rules=rules)

    def running(self, agent: AgentProcess, run: UUID) -> list[str]:
        return docker("ps", "--quiet", "--filter", f"label=appliance.run={run}", host=self.host).split()

    def kill(self, agent: AgentProcess, run: UUID) -> None:
        docker("kill", *self.running(agent, run), host=self.host)

    def wait(self, agent: AgentProcess, run: UUID) -> None:
        for container in self.running(agent, run):
            with suppress(subprocess.CalledProcessError):  # it is removed already
                docker("wait", container, host=self.host)

    def left(self, server: LiveServer, name: str) -> list[str]:
        own = ("--filter", f"label=appliance.site={server.url}", "--filter", f"label=appliance.agent={name}")
        return docker("ps", "--all", "--quiet", *own, host=self.host).split()

    def remove(self, left: Sequence[str]) -> None:
        if left:
            docker("rm", "--force", *left, host=self.host)


class Kubernetes(AgentKind):
    """A stand-in of a cluster, or the one of APPLIANCE_TEST_KUBECONFIG, whose pods have APPLIANCE_TEST_IMAGE and reach this machine as
    APPLIANCE_TEST_HOST."""

    name = "kubernetes"
    points = {
        "agent.claimed": 2,
        "agent.created": 2,
        "agent.job": 2,
        "agent.secret": 2,
        "agent.remembered": 2,
        "agent.started": 1,
    }
    lacking = ('KubernetesRun(image="odd:1")', "Paused", "'odd:1' is not the name of an image")
    scarce = ('KubernetesRun(memory_limit="256Mi")', "more memory than its limit of 256 MiB (OOM)")
    peak_of_scarce = 256 * 1024**2
    keeps_lines = False
    _fake: FakeCluster | None = None

    def prepare(self, folder: Path) -> None:
        if self._kubeconfig is None:
            self._fake = FakeCluster(folder)
        os.environ["KUBECONFIG"] = str(self._kubeconfig or self._fake.kubeconfig)

    @property
    def _kubeconfig(self) -> str | None:
        return os.environ.get("APPLIANCE_TEST_KUBECONFIG")

    def settings(self) -> dict[str, str]:
        return {"APPLIANCE_HOST": "0.0.0.0"} if self._kubeconfig else {}

    def arguments(self, url: str) -> list[str]:
        rules = ["--image", self._rules.image, "--allow-image", "odd:*", "--namespace", self._rules.namespace]
        return ["kubernetes", *rules, "--server-url", self._url(url)]

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": os.environ["KUBECONFIG"]}

    def inside(self, transport: Transport, name: str, folder: Path) -> Agent:
        return KubernetesAgent(
            transport,
            name=name,
            state_dir=folder,
            cluster=Cluster(),
            rules=self._rules,
            server_url=self._url(transport.url),
        )

    def running(self, agent: AgentProcess, run: UUID) -> list[str]:
        pods, _ = Cluster().list(PODS, self._rules.namespace, labelSelector=f"appliance.run={run}")
        return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    def kill(self, agent: AgentProcess, run: UUID) -> None:
        if self._fake is None:
            pytest.skip("The API of Kubernetes can't send SIGKILL to a process")
        self._fake.node.kill(run)

    def wait(self, agent: AgentProcess, run: UUID) -> None:
        until(f"the pod of {run} has ended", lambda: not self.running(agent, run))

    def left(self, server: LiveServer, name: str) -> list[str]:
        own = jobs.selector(jobs.labels_of_agent(server.url, name))
        found, _ = Cluster().list(JOBS, self._rules.namespace, labelSelector=own)
        return [job["metadata"]["name"] for job in found]

    @property
    def _rules(self) -> KubernetesRules:
        image = os.environ.get("APPLIANCE_TEST_IMAGE", "etl:3")
        return KubernetesRules(
            image=image, namespace=os.environ.get("APPLIANCE_TEST_NAMESPACE", "default"), images=("odd:*",)
        )

    def _url(self, url: str) -> str:
        return url.replace("127.0.0.1", os.environ.get("APPLIANCE_TEST_HOST", "0.0.0.0"))


def docker(*arguments: str, host: str = "") -> str:
    """What the command line of an engine answers. Raises CalledProcessError."""
    command = ["docker", *(["--host", host] if host else []), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


KINDS: tuple[AgentKind, ...] = (Process(), Docker(), Kubernetes())
