"""The run config of a flow as it is registered: what a flow may say about how its runs are started. Everything else is up to the agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from appliance.kit.run_environment import env_problem, user_problem
from appliance.protocol import containers, environments, run_limits

Kind = Literal["universal", "process", "local", "docker", "kubernetes"]


class RunConfigDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="universal"):
    """What any agent can start. `working_dir` is a folder on the agent's machine or in the container, `run_timeout` in seconds."""

    env: dict[str, str] = {}
    labels: list[str] = []
    working_dir: str | None = None
    run_timeout: float | None = None

    def problems(self) -> Iterator[str]:
        """What is wrong with it, one sentence each."""
        yield env_problem(self.env)
        if "\0" in (self.working_dir or ""):
            yield "working_dir contains a NUL character; remove it."


class ProcessDocument(RunConfigDocument, tag="process"):
    """A process on the agent's machine, in an environment of its own if it names a Python or packages, with `limits` of its resources, as the agent's
    user or as `user`, an account that the agent's administrator permits."""

    python: str | None = None
    requirements: list[str] = []
    limits: dict[str, int | str] = {}
    user: str | None = None

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield environments.python_problem(self.python)
        yield environments.requirements_problem(self.requirements)
        yield run_limits.limits_problem(self.limits)
        yield user_problem(self.user)


class LocalDocument(ProcessDocument, tag="local"):
    """The same under the name that earlier releases know."""


class DockerDocument(RunConfigDocument, tag="docker"):
    """A container. `volumes` are SOURCE:TARGET or SOURCE:TARGET:ro, `memory` is like 512m, `cpus` a number of cores. `command` starts
    Python in the container, in place of the image's entry point."""

    image: str | None = None  # None: the agent's
    command: list[str] = []
    volumes: list[str] = []
    networks: list[str] = []
    memory: str | None = None
    cpus: float | None = None
    gpus: int | Literal["all"] | None = None
    pids: int | None = None  # the most processes and threads
    pull: str | None = None  # one of PULLS; None: missing

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from _listed("command", self.command)
        yield from _listed("volumes", self.volumes)
        yield from _listed("networks", self.networks)
        yield containers.image_problem(self.image) if self.image is not None else ""
        yield containers.volume_problem(self.volumes)
        yield containers.name_problem("network", self.networks)
        yield containers.memory_problem(self.memory) if self.memory is not None else ""
        if self.cpus is not None and not containers.LEAST_CPUS <= self.cpus <= 4_096:
            yield f"cpus {self.cpus} is not valid; use a number of cores, {containers.LEAST_CPUS} or more."
        if isinstance(self.gpus, int) and not 0 <= self.gpus <= 1_024:
            yield f'gpus {self.gpus} is not valid; use a number of devices, or "all".'
        if self.pids is not None and not 1 <= self.pids <= containers.MOST_PIDS:
            yield f"pids {self.pids} is not valid; use a number of processes and threads, such as 512."
        yield containers.choice_problem("pull", self.pull, containers.PULLS) if self.pull is not None else ""


class KubernetesDocument(RunConfigDocument, tag="kubernetes"):
    """A job. `job_template` is a manifest into which the rest is put; requests and limits are quantities, such as 500m or 2Gi."""

    image: str | None = None  # None: that of the template, or else the agent's
    namespace: str | None = None
    job_template: dict[str, Any] | None = None
    cpu_request: str | None = None
    cpu_limit: str | None = None
    memory_request: str | None = None
    memory_limit: str | None = None
    service_account_name: str | None = None
    image_pull_secrets: list[str] = []
    image_pull_policy: str | None = None  # one of POLICIES

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from _listed("image_pull_secrets", self.image_pull_secrets)
        yield containers.image_problem(self.image) if self.image is not None else ""
        yield containers.label_problem("namespace", [] if self.namespace is None else [self.namespace])
        for option in ("cpu_request", "cpu_limit", "memory_request", "memory_limit"):
            amount = getattr(self, option)
            yield containers.quantity_problem(option, amount) if amount is not None else ""
        account = self.service_account_name
        yield containers.object_problem("service_account_name", [] if account is None else [account])
        yield containers.object_problem("image_pull_secret", self.image_pull_secrets)
        policy = self.image_pull_policy
        yield containers.choice_problem("image_pull_policy", policy, containers.POLICIES) if policy is not None else ""
        template = self.job_template
        if template is not None and len(msgspec.json.encode(template)) > containers.MOST_TEMPLATE:
            yield f"job_template is too long; use at most {containers.MOST_TEMPLATE:,} bytes."
        if template is not None and template.get("kind") != "Job":
            yield 'job_template is not a job; write its manifest as a dict with "kind": "Job".'


_Document = RunConfigDocument | ProcessDocument | LocalDocument | DockerDocument | KubernetesDocument
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "universal": RunConfigDocument.__struct_fields__,
    "process": ProcessDocument.__struct_fields__,
    "local": LocalDocument.__struct_fields__,
    "docker": DockerDocument.__struct_fields__,
    "kubernetes": KubernetesDocument.__struct_fields__,
}
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "process": ("universal", "process", "local"),
    "docker": ("universal", "docker"),
    "kubernetes": ("universal", "kubernetes"),
}
WORDS: Mapping[Kind, str] = {
    "universal": "runs",
    "process": "runs as processes",
    "local": "runs as processes",
    "docker": "Docker runs",
    "kubernetes": "Kubernetes runs",
}
"""What an agent starts, after "No live agent starts ..."."""


def kinds_of(agent_type: str) -> tuple[Kind, ...]:
    """The kinds of run configs that agents of a type start."""
    return _KINDS[agent_type]


def kind_of(document: Mapping[str, Any]) -> Kind:
    """The kind of a stored run config; one that can't be read counts as universal."""
    return next((kind for kind in WORDS if kind == document.get("type")), "universal")


def said(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run config without the fields that say nothing."""
    return {name: value for name, value in config.items() if value is not None and value != [] and value != {}}


def environment_of(config: RunConfigDocument) -> ProcessDocument | None:
    """The run config if it asks for an environment of its own."""
    if isinstance(config, ProcessDocument) and (config.python is not None or config.requirements):
        return config
    return None


def user_of(config: RunConfigDocument) -> str | None:
    """The account as which a run's process works; None: that of the agent."""
    return config.user if isinstance(config, ProcessDocument) else None


ANY_PYTHON = ""
"""What is asked for by a run config that names packages and no Python."""


class Needs(NamedTuple):
    """What a run config needs of an agent beside its kind. `python`: a version, a path, or ANY_PYTHON; None: that of the agent, without packages of its
    own."""

    user: str | None = None
    python: str | None = None
    limits: Mapping[str, int] = {}


NO_NEEDS = Needs()


def needs_of(document: Mapping[str, Any]) -> Needs:
    """What a stored run config asks for."""
    if kind_of(document) not in ("process", "local"):
        return NO_NEEDS
    python = document.get("python") or (ANY_PYTHON if document.get("requirements") else None)
    return Needs(document.get("user"), python, run_limits.amounts(document.get("limits") or {}))


def limits_of(config: RunConfigDocument) -> dict[str, int]:
    """The limits of a run's process, as bytes, seconds, and numbers."""
    return run_limits.amounts(config.limits) if isinstance(config, ProcessDocument) else {}


def decode(document: Mapping[str, Any]) -> RunConfigDocument:
    """The run config in a document. Raises ValueError with a sentence."""
    known = _FIELDS.get(str(document.get("type", "universal")))
    if known is None:
        raise ValueError(
            f"The run config is not valid: type {str(document['type'])[:60]!r} is none of {', '.join(_FIELDS)}."
        )
    strange = next((name for name in document if name != "type" and name not in known), None)
    if strange is not None:
        raise ValueError(
            f"The run config is not valid: with type {document.get('type', 'universal')!r}, it has no field {strange[:60]!r}; "
            f"name another type, or one of {', '.join(known)}."
        )
    try:
        config: RunConfigDocument = msgspec.convert({"type": "universal", **document}, _Document)
    except msgspec.ValidationError as error:
        raise ValueError(f"The run config is not valid: {error}.") from error
    problem = next(filter(None, config.problems()), "")
    if problem:
        raise ValueError(problem)
    return config


def _listed(option: str, items: list[str]) -> Iterator[str]:
    if len(items) > containers.MOST_LISTED or any(len(item) > 4_096 or "\0" in item for item in items):
        yield f"{option} has too many or too long items; use at most {containers.MOST_LISTED} of 4,096 characters."
