"""What differs between two versions of a flow, part by part, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.kit.documents import JsonDocument
from appliance.protocol.life_cycle import Change, PartComparison
from appliance.schedules import describe
from appliance.server.domain import declarations
from appliance.server.domain.versions import Content

HIDDEN = "(not shown)"
"""Stands for the values of environment variables, which may be secret."""
_EDGE_FLAGS = ("mapped", "flattened")
_BESIDE = frozenset({"labels", "env"})


def compare(before: Content, after: Content) -> list[PartComparison]:
    """The parts that differ, each with what was added, removed and changed."""
    parts = [
        _of_items("tasks", "slug", before.graph.get("tasks"), after.graph.get("tasks")),
        _of_edges(before.graph.get("edges"), after.graph.get("edges")),
        _of_names("reference_tasks", before.graph.get("reference_tasks"), after.graph.get("reference_tasks")),
        _of_names("secrets", before.graph.get("secrets"), after.graph.get("secrets")),
        _of_items("parameters", "name", before.parameters, after.parameters),
        _of_names("labels", before.labels, after.labels),
        _of_values("run_config", _run_config(before.run_config), _run_config(after.run_config)),
        _of_schedules(before.schedules, after.schedules),
        _of_values("storage", *_storages(before.storage, after.storage)),
    ]
    return [_without_secrets(part) for part in parts if part.added or part.removed or part.changed]


def _of_items(
    part: str, key: str, before: Iterable[JsonDocument] | None, after: Iterable[JsonDocument] | None
) -> PartComparison:
    """Items with a name and fields, such as tasks."""
    old, new = ({str(item[key]): item for item in items or ()} for items in (before, after))
    changed = [
        Change(name=name, field=field, before=old[name].get(field), after=new[name].get(field))
        for name in new
        if name in old
        for field in sorted(old[name].keys() | new[name].keys())
        if old[name].get(field) != new[name].get(field)
    ]
    return PartComparison(part=part, added=_missing(new, old), removed=_missing(old, new), changed=changed)


def _of_values(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> PartComparison:
    """Single values by name, such as those of a run config."""
    changed = [
        Change(name=name, before=before[name], after=after[name])
        for name in after
        if name in before and before[name] != after[name]
    ]
    return PartComparison(part=part, added=_missing(after, before), removed=_missing(before, after), changed=changed)


def _of_names(part: str, before: Iterable[str] | None, after: Iterable[str] | None) -> PartComparison:
    """Names alone, such as labels."""
    old, new = dict.fromkeys(before or ()), dict.fromkeys(after or ())
    return PartComparison(part=part, added=_missing(new, old), removed=_missing(old, new))


def _missing(names: Iterable[str], others: Mapping[str, Any]) -> list[str]:
    return [name for name in names if name not in others]


def _of_edges(before: Iterable[JsonDocument] | None, after: Iterable[JsonDocument] | None) -> PartComparison:
    """Edges by their ends and argument."""
    old, new = ({_edge(item): item for item in items or ()} for items in (before, after))
    changed = [
        Change(name=name, field=field, before=bool(old[name].get(field)), after=bool(new[name].get(field)))
        for name in new
        if name in old
        for field in _EDGE_FLAGS
        if bool(old[name].get(field)) != bool(new[name].get(field))
    ]
    added, removed = (
        [_edge(one[name]) + _flags(one[name]) for name in _missing(one, other)]
        for one, other in ((new, old), (old, new))
    )
    return PartComparison(part="edges", added=added, removed=removed, changed=changed)


def _edge(edge: JsonDocument) -> str:
    """An edge in words: from which task to which, as which argument."""
    return f"{edge['upstream']} -> {edge['downstream']}" + (f" as {edge['key']}" if edge.get("key") else "")


def _flags(edge: JsonDocument) -> str:
    return "".join(f", {flag}" for flag in _EDGE_FLAGS if edge.get(flag))


def _of_schedules(before: Sequence[JsonDocument], after: Sequence[JsonDocument]) -> PartComparison:
    """Schedules, each compared with the one that registering takes it for."""
    added, removed, edited = declarations.differences(before, after)
    changed = [
        Change(
            name=describe(old),
            field=change.field,
            before=_shown(change.field, change.before),
            after=_shown(change.field, change.after),
        )
        for old, _new, changes in edited
        for change in changes
    ]
    return PartComparison(
        part="schedules", added=list(map(_described, added)), removed=list(map(_described, removed)), changed=changed
    )


def _shown(field: str, value: Any) -> Any:
    return describe(value) if field == declarations.TIMES and isinstance(value, dict) else value


def _described(document: JsonDocument) -> str:
    """A schedule in words, with all that tells it from another one."""
    extras = [
        f"{name} {document[name]}" for name in ("parameters", "labels", "catch_up", "overlap") if document.get(name)
    ]
    return "; ".join([describe(document), *extras])


def _run_config(document: JsonDocument) -> dict[str, Any]:
    """Its values by name, with each environment variable as one of them."""
    values = {name: value for name, value in document.items() if name not in _BESIDE}
    env = document.get("env")
    return values | {f"env {name}": value for name, value in (env if isinstance(env, dict) else {}).items()}


def _storages(before: JsonDocument, after: JsonDocument) -> list[dict[str, Any]]:
    """Their values by name, with each file as one of them, unless one of the two is sealed and doesn't show its files."""
    comparable = bool(before.get("sealed")) == bool(after.get("sealed"))
    return [
        {name: value for name, value in document.items() if name != "files"} | (_files(document) if comparable else {})
        for document in (before, after)
    ]


def _files(document: JsonDocument) -> dict[str, Any]:
    files = document.get("files")
    return {f"file {name}": sha256 for name, sha256 in (files if isinstance(files, dict) else {}).items()}


def _without_secrets(part: PartComparison) -> PartComparison:
    if part.part == "run_config":
        for change in part.changed:
            if change.name.startswith("env "):
                change.before = change.after = HIDDEN
    return part
