"""What an agent's administrator permits flows to ask of their jobs. The administrator's own template is not judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.agents.container_rules import closed, excess, is_open_image
from appliance.agents.job_template import RUN, objects, prepared
from appliance.protocol.containers import bytes_in, cores_in
from appliance.protocol.run_config import KubernetesDocument

_REACH_THE_NODE = frozenset(
    "appArmorProfile flexVolume gitRepo hostIPC hostNetwork hostPID hostPath hostPort hostProcess hostUsers nodeName privileged procMount seLinuxOptions "
    "seccompProfile sysctls volumeDevices windowsOptions".split()
)
"""Beside what the baseline of the Pod Security Standards forbids: what pins a pod to a node, or has the node run programs that the pod names."""
_TOGETHER = ({"capabilities", "add"}, {"httpGet", "host"}, {"tcpSocket", "host"})
"""The same of fields in these: a node sends probes from its own network."""
_PROFILES = ("container.apparmor.security.beta.kubernetes.io/", "seccomp.security.alpha.kubernetes.io/")
"""Annotations by which earlier releases of Kubernetes switch off the confinement of a container."""
_POD = "spec.template.spec"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_AMOUNTS = [f"resources.{kind}.{what}" for kind in ("requests", "limits") for what in ("cpu", "memory")]
_JUDGED = (
    *("apiVersion", "kind", "metadata.namespace", f"{_POD}.imagePullSecrets.name"),
    *(f"{_POD}.{name}" for name in ("serviceAccountName", "serviceAccount")),
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
        yield from self._of_others(pod)
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        if [each.get("name") for each in containers] != [RUN] and not self._is_open_field(f"{_POD}.containers"):
            yield closed("field", f"{_POD}.containers", self.fields)
        for image in filter(None, (config.image, *_images(pod))):
            if not is_open_image(str(image), self.image, self.images):
                yield closed("image", str(image), [self.image, *self.images])
        if self.namespace_of(config) not in self.all_namespaces:
            yield closed("namespace", self.namespace_of(config), self.all_namespaces)
        for account in (config.service_account_name, pod.get("serviceAccountName"), pod.get("serviceAccount")):
            if account is not None and account not in self.service_accounts:
                yield closed("service-account", str(account), self.service_accounts)
        for secret in (*config.image_pull_secrets, *(each.get("name") for each in pod.get("imagePullSecrets", []))):
            if secret not in self.pull_secrets:
                yield closed("pull-secret", str(secret), self.pull_secrets)
        for resources in (_amounts_of(config), *(each["resources"] for each in containers)):
            for kind in ("requests", "limits"):
                yield _excess(kind, "memory", resources[kind].get("memory"), self.memory, bytes_in)
                yield _excess(kind, "cpu", resources[kind].get("cpu"), self.cpu, cores_in)

    def _of_fields(self, template: Mapping[str, Any]) -> Iterator[str]:
        for keys in _paths(template):
            path = ".".join(keys)
            if _reaches_the_node(keys):
                yield f"Flows can't have their pods reach the node: leave {path} out of job_template. Only the agent's own template may have it."
            if not any(each == path or each.startswith(f"{path}.") for each in _JUDGED) and not self._is_open_field(
                path
            ):
                yield closed("field", path, self.fields)

    def _of_others(self, pod: Mapping[str, Any]) -> Iterator[str]:
        """What the agent's own template has for itself, whatever fields are open: it may be more than a flow can have."""
        own = prepared(self.template)["spec"]["template"]["spec"]
        names = {each.get("name") for kind in _CONTAINERS for each in own.get(kind, [])} - {RUN}
        volumes = {each.get("name") for each in own.get("volumes", []) if any(map(_reaches_the_node, _paths(each)))}
        for container in (each for kind in _CONTAINERS for each in pod.get(kind, [])):
            if (name := container.get("name")) in names:
                yield f"Container {name} is in the agent's template, which flows can't change: leave it out of job_template."
            for mount in objects(container.get("volumeMounts")):
                if mount.get("name") in volumes:
                    yield f"Volume {mount['name']} of the agent's template leads to the node, so flows can't mount it: leave it out of job_template."

    def _is_open_field(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}.") for each in self.fields)


def _images(pod: Mapping[str, Any]) -> Iterator[Any]:
    yield from (each.get("image") for kind in _CONTAINERS for each in pod.get(kind, []))
    yield from (
        each["image"].get("reference") for each in pod.get("volumes", []) if isinstance(each.get("image"), dict)
    )


def _reaches_the_node(keys: tuple[str, ...]) -> bool:
    """Whether a field, as the names that lead to it, is what no flow can have."""
    names = {*keys}
    return (
        not _REACH_THE_NODE.isdisjoint(names)
        or any(together <= names for together in _TOGETHER)
        or any(key.startswith(_PROFILES) for key in keys)
    )


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


def _excess(kind: str, what: str, amount: Any, most: str | None, measured: Callable[[str], float | None]) -> str:
    if amount is None:
        return ""
    size = measured(str(amount))
    if size is None:
        return f"{what} {str(amount)[:100]!r} is not an amount of it; write a number and a unit, as in 500m of cpu, or 2Gi of memory."
    if kind == "limits" and not size:
        return f"{what} {str(amount)!r} is no limit; leave it out, or write how much a run gets."
    return excess(what, str(amount), most) if most is not None and size > (measured(most) or 0) else ""
