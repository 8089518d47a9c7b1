"""Templates of jobs: the administrator's, and that of a flow, which is merged into it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

RUN = "run"
"""The container in which a run works. In a template that has none of this name, it is the first."""


def prepared(template: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a template with all the parts into which something is put. Raises ValueError for what can't be the manifest of a job."""
    job: dict[str, Any] = copy.deepcopy(dict(template))
    pod = _inner(job, "spec", "template", "spec")
    for part in (("metadata",), ("spec", "template", "metadata")):
        _inner(job, *part)
    for kind in ("containers", "initContainers", "volumes", "imagePullSecrets"):
        items = pod.get(kind, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ValueError(f"The template of the job is not valid: {kind} is not a list of objects.")
    containers = pod.setdefault("containers", [])
    if all(each.get("name") != RUN for each in containers):
        if containers:
            containers[0]["name"] = RUN
        else:
            containers.append({"name": RUN})
    for each in [*containers, *pod.get("initContainers", [])]:
        _inner(each, "resources", "requests")
        _inner(each, "resources", "limits")
    return job


def merged(below: Any, above: Any) -> Any:
    """What a template says on top of another: objects key by key, lists of objects by their names, and everything else in place of what was there."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            name: merged(below.get(name), above[name]) if name in above else below[name] for name in {**below, **above}
        }
    if isinstance(below, list) and isinstance(above, list) and all(isinstance(item, dict) for item in below + above):
        named = {item.get("name"): item for item in below if "name" in item}
        added = [item for item in above if item.get("name") not in named or "name" not in item]
        changes = {item["name"]: item for item in above if item.get("name") in named}
        return [merged(item, changes[item["name"]]) if item.get("name") in changes else item for item in below] + added
    return above


def container_of(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The run's container in the specification of a pod that was prepared."""
    container: dict[str, Any] = next(each for each in pod["containers"] if each.get("name") == RUN)
    return container


def _inner(owner: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        if owner.get(name) is None:
            owner[name] = {}
        owner = owner[name]
        if not isinstance(owner, dict):
            raise ValueError(f"The template of the job is not valid: {name} is not an object.")
    return owner
