"""What an agent's administrator permits flows to ask of their jobs. The administrator's own template is not judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.agents.container_rules import closed, excess, is_open_image
from appliance.agents.job_template import RUN, prepared
from appliance.protocol.containers import bytes_in, cores_in
from appliance.protocol.run_config import KubernetesDocument

_REACH_THE_NODE = (
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPath",
    "hostPort",
    "hostProcess",
    "hostUsers",
    "privileged",
    "procMount",
    "volumeDevices",
    "nodeName",
)
_POD = "spec.template.spec"
_AMOUNTS = [f"resources.{kind}.{what}" for kind in ("requests", "limits") for what in ("cpu", "memory")]
_JUDGED = (
    *("apiVersion", "kind", "metadata.namespace", f"{_POD}.serviceAccountName", f"{_POD}.imagePullSecrets.name"),
    *(f"{_POD}.containers.{name}" for name in ("name", "image", "imagePullPolicy", *_AMOUNTS)),
)
"""Fields of a flow's template that have options of their own."""


@dataclass(frozen=True, kw_only=True)
class KubernetesRules:
    """`image` and `namespace` are for runs that name none; `images` are patterns of what flows may name, as for containers; `fields` are those of a flow's
    template, as in spec.template.spec.tolerations. `memory` and `cpu` are quantities, what a run gets at most and by default. `template` is the
    administrator's."""

    image: str
    namespace: str = "default"
    images: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    memory: str | None = None
    cpu: str | None = None
    template: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_namespaces(self) -> list[str]:
        """Those in which the agent has jobs."""
        return list(dict.fromkeys((self.namespace, *self.namespaces)))

    def refusal(self, config: KubernetesDocument) -> str:
        """The first thing that a run config asks for and this agent does not allow, in a sentence; empty if there is none."""
        try:
            return next(filter(None, self._refusals(config)), "")
        except ValueError as error:
            return str(error)

    def namespace_of(self, config: KubernetesDocument) -> str:
        """The namespace of a run's job."""
        name = config.namespace or ((config.job_template or {}).get("metadata") or {}).get("namespace")
        return str(name or self.namespace)

    def _refusals(self, config: KubernetesDocument) -> Iterator[str]:
        template = prepared(config.job_template or {})
        pod = template["spec"]["template"]["spec"]
        if config.job_template is not None:
            yield from self._of_fields(config.job_template)
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        if [each.get("name") for each in containers] != [RUN] and not self._is_open_field(f"{_POD}.containers"):
            yield closed("field", f"{_POD}.containers", self.fields)
        for image in filter(None, (config.image, *(each.get("image") for each in containers))):
            if not is_open_image(str(image), self.image, self.images):
                yield closed("image", str(image), [self.image, *self.images])
        if self.namespace_of(config) not in self.all_namespaces:
            yield closed("namespace", self.namespace_of(config), self.all_namespaces)
        account = config.service_account_name or pod.get("serviceAccountName")
        if account and account not in self.service_accounts:
            yield closed("service-account", str(account), self.service_accounts)
        for secret in (*config.image_pull_secrets, *(each.get("name") for each in pod.get("imagePullSecrets", []))):
            if secret not in self.pull_secrets:
                yield closed("pull-secret", str(secret), self.pull_secrets)
        for resources in (_amounts_of(config), *(each["resources"] for each in containers)):
            for amounts in (resources["requests"], resources["limits"]):
                yield _excess("memory", amounts.get("memory"), self.memory, bytes_in)
                yield _excess("cpu", amounts.get("cpu"), self.cpu, cores_in)

    def _of_fields(self, template: Mapping[str, Any]) -> Iterator[str]:
        for keys in _paths(template):
            path = ".".join(keys)
            if any(key in _REACH_THE_NODE for key in keys) or {"capabilities", "add"} <= {*keys}:
                yield f"Flows can't have their pods reach the node: leave {path} out of job_template. Only the agent's own template may have it."
            if not any(each == path or each.startswith(f"{path}.") for each in _JUDGED) and not self._is_open_field(
                path
            ):
                yield closed("field", path, self.fields)

    def _is_open_field(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}.") for each in self.fields)


def _amounts_of(config: KubernetesDocument) -> dict[str, dict[str, str | None]]:
    return {
        "requests": {"cpu": config.cpu_request, "memory": config.memory_request},
        "limits": {"cpu": config.cpu_limit, "memory": config.memory_limit},
    }


def _paths(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The fields that say something, each as the names that lead to it."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _paths(inner, (*keys, str(name)))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _paths(item, keys)
    else:
        yield keys


def _excess(what: str, amount: Any, most: str | None, measured: Callable[[str], float | None]) -> str:
    if amount is None:
        return ""
    size = measured(str(amount))
    if size is None:
        return f"{what} {str(amount)[:100]!r} is not an amount of it; write a number and a unit, as in 500m of cpu, or 2Gi of memory."
    return excess(what, str(amount), most) if most is not None and size > (measured(most) or 0) else ""
