"""The run configs of containers, apart from the others because they load what checks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.core.run_config import RunConfig
from appliance.kit import options
from appliance.protocol.run_config import decode, said


class DockerRun(RunConfig):
    """Runs in a container of `image` (None: the agent's), on an agent for Docker. `volumes` are like "/data:/data:ro", `memory` like "512m", and
    `gpus` a number or "all"; `pids` is the most processes and threads. `command` starts Python in the container (default: python3), in place of the
    image's own entry point. `pull` is missing, always or never. The agent's administrator decides which of them are permitted."""

    kind = "docker"

    def __init__(
        self,
        image: str | None = None,
        command: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        labels: Iterable[str] = (),
        *,
        working_dir: str | None = None,
        volumes: Iterable[str] = (),
        networks: Iterable[str] = (),
        memory: str | None = None,
        cpus: float | None = None,
        gpus: int | str | None = None,
        pids: int | None = None,
        pull: str | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.image = options.text("image", image)
        self.command = list(options.listed("command", command, str))
        self.working_dir = options.text("working_dir", working_dir)
        self.volumes = list(options.listed("volumes", volumes, str))
        self.networks = list(options.listed("networks", networks, str))
        self.memory = options.text("memory", memory)
        self.cpus, self.gpus, self.pids = cpus, gpus, pids
        self.pull = options.text("pull", pull)
        _check(self)

    def to_document(self) -> dict[str, Any]:
        names = ("image", "command", "working_dir", "volumes", "networks", "memory", "cpus", "gpus", "pids", "pull")
        return super().to_document() | _said(self, names)


class KubernetesRun(RunConfig):
    """Runs as a job in Kubernetes, on an agent for it. `job_template` is the manifest of a job as a dict, into which the rest is put; requests and
    limits are quantities, such as "500m" or "2Gi"."""

    kind = "kubernetes"

    def __init__(
        self,
        image: str | None = None,
        namespace: str | None = None,
        env: Mapping[str, str] | None = None,
        labels: Iterable[str] = (),
        *,
        job_template: Mapping[str, Any] | None = None,
        working_dir: str | None = None,
        cpu_request: str | None = None,
        cpu_limit: str | None = None,
        memory_request: str | None = None,
        memory_limit: str | None = None,
        service_account_name: str | None = None,
        image_pull_secrets: Iterable[str] = (),
        image_pull_policy: str | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.image = options.text("image", image)
        self.namespace = options.text("namespace", namespace)
        self.job_template = None if job_template is None else options.mapping("job_template", job_template)
        self.working_dir = options.text("working_dir", working_dir)
        self.cpu_request = options.text("cpu_request", cpu_request)
        self.cpu_limit = options.text("cpu_limit", cpu_limit)
        self.memory_request = options.text("memory_request", memory_request)
        self.memory_limit = options.text("memory_limit", memory_limit)
        self.service_account_name = options.text("service_account_name", service_account_name)
        self.image_pull_secrets = list(options.listed("image_pull_secrets", image_pull_secrets, str))
        self.image_pull_policy = options.text("image_pull_policy", image_pull_policy)
        _check(self)

    def to_document(self) -> dict[str, Any]:
        names = ("image", "namespace", "job_template", "working_dir", "cpu_request", "cpu_limit", "memory_request")
        more = ("memory_limit", "service_account_name", "image_pull_secrets", "image_pull_policy")
        return super().to_document() | _said(self, names + more)


def _said(config: RunConfig, names: Iterable[str]) -> dict[str, Any]:
    return said({name: getattr(config, name) for name in names})


def _check(config: RunConfig) -> None:
    """Refuse at once what the server would refuse. Raises ValueError."""
    decode(config.to_document())
