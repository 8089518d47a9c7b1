"""Templates of jobs: the administrator's, and that of a flow, which is merged into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

RUN = "run"
"""The container in which a run works. In a template that has none of this name, it is the first."""

_OBJECTS = ("containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets")


def prepared(template: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a template with all the parts into which something is put. A null says nothing.
    Raises ValueError for what can't be the manifest of a job."""
    job: dict[str, Any] = _without_nulls(template)
    pod = _inner(job, "spec", "template", "spec")
    for part in (("metadata",), ("spec", "template", "metadata")):
        for inner in ("labels", "annotations"):
            _inner(job, *part, inner)
    _inner(pod, "securityContext")
    _check_lists(pod, _OBJECTS, dict)
    containers = pod.setdefault("containers", [])
    if all(each.get("name") != RUN for each in containers):
        if containers:
            containers[0]["name"] = RUN
        else:
            containers.append({"name": RUN})
    for each in [*containers, *pod.get("initContainers", [])]:
        for path in (("resources", "requests"), ("resources", "limits"), ("securityContext",)):
            _inner(each, *path)
        _check_lists(each, ("env", "volumeMounts"), dict)
        _check_lists(each, ("command",), str)
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


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none in anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def container_of(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The run's container in the specification of a pod that was prepared."""
    container: dict[str, Any] = next(each for each in pod["containers"] if each.get("name") == RUN)
    return container


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_lists(owner: Mapping[str, Any], names: Iterable[str], kind: type) -> None:
    for name in names:
        items = owner.get(name)
        if items is not None and (not isinstance(items, list) or not all(isinstance(item, kind) for item in items)):
            things = "objects" if kind is dict else "texts"
            raise ValueError(f"The template of the job is not valid: {name} is not a list of {things}.")


def _inner(owner: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        owner = owner.setdefault(name, {})
        if not isinstance(owner, dict):
            raise ValueError(f"The template of the job is not valid: {name} is not an object.")
    return owner
