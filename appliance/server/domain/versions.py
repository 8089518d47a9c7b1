"""The content of a flow's version: whether two are the same, and in which words they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from appliance.kit.documents import JsonDocument
from appliance.kit.plurals import counted
from appliance.schedules import describe
from appliance.server.domain import declarations
from appliance.server.domain.schedule_words import change_words

PARTS = ("graph", "parameters", "schedules", "storage", "run_config", "labels")
"""What a version consists of. The versions of the SDK and of Python that registered it are not part of it."""
_MOST_NAMED = 5


class Content(Protocol):
    """A version, or one that would be new."""

    @property
    def graph(self) -> JsonDocument: ...

    @property
    def parameters(self) -> list[JsonDocument]: ...

    @property
    def schedules(self) -> list[JsonDocument]: ...

    @property
    def storage(self) -> JsonDocument: ...

    @property
    def run_config(self) -> JsonDocument: ...

    @property
    def labels(self) -> list[str]: ...


def fingerprint(content: Content) -> str:
    """Hex SHA-256 of the canonical JSON of all parts."""
    parts = {part: getattr(content, part) for part in PARTS}
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def changes(before: Content, after: Content) -> list[str]:
    """What differs, one phrase each: "the code", "label gpu added", "schedule "Every day at 02:30" removed"."""
    tasks_before, tasks_after = _by("slug", before.graph.get("tasks")), _by("slug", after.graph.get("tasks"))
    phrases = _code(before.storage, after.storage)
    phrases += _named("task", tasks_before, tasks_after)
    if tasks_before.keys() == tasks_after.keys() and before.graph.get("edges") != after.graph.get("edges"):
        phrases.append("the dependencies between the tasks")
    if before.graph.get("reference_tasks") != after.graph.get("reference_tasks"):
        phrases.append("the reference tasks")
    phrases += _named("secret", _declared(before), _declared(after))
    phrases += _named("parameter", _by("name", before.parameters), _by("name", after.parameters))
    phrases += _schedules(before.schedules, after.schedules)
    phrases += _named("label", dict.fromkeys(before.labels), dict.fromkeys(after.labels))
    if _without_labels(before.run_config) != _without_labels(after.run_config):
        phrases.append("the run config")
    return phrases


def _declared(content: Content) -> dict[str, None]:
    return dict.fromkeys(content.graph.get("secrets", ()))


def _code(before: JsonDocument, after: JsonDocument) -> list[str]:
    if before == after:
        return []
    if bool(before.get("sealed")) != bool(after.get("sealed")):  # a sealed one doesn't show its files
        return ["the code is sealed" if after.get("sealed") else "the code is not sealed any more"]
    phrases = ["the code"] if before.get("sha256") != after.get("sha256") else []
    if before.get("path") != after.get("path"):
        phrases.append(f"the file: {after['path']}" if after.get("path") else "the file")
    phrases += _named("file", before.get("files") or {}, after.get("files") or {})
    if after.get("commit") and before.get("commit") != after["commit"]:
        phrases.append(f"commit {after['commit'][:12]}")
    if after.get("distribution") and before.get("version") != after.get("version"):
        phrases.append(f"{after['distribution']} {after.get('version')}")
    if after.get("image") and before.get("image") != after["image"]:
        phrases.append(f"image {after['image']}")
    return phrases or ["the storage"]


def _by(key: str, items: Iterable[JsonDocument] | None) -> dict[str, JsonDocument]:
    return {item[key]: item for item in items or ()}


def _schedules(before: Sequence[JsonDocument], after: Sequence[JsonDocument]) -> list[str]:
    added, removed, edited = declarations.differences(before, after)
    phrases = _named("schedule", _described(removed), _described(added))
    for old, new, fields in edited[:_MOST_NAMED]:
        was, now = describe(old), describe(new)
        if was != now:
            phrases.append(f'schedule changed from "{was}" to "{now}"')
        else:
            phrases.append(f'schedule "{now}" changed: {", ".join(map(change_words, fields))}')
    if len(edited) > _MOST_NAMED:
        phrases.append(f"{counted(len(edited) - _MOST_NAMED, 'more schedule')} changed")
    return phrases


def _described(documents: Iterable[JsonDocument]) -> dict[str, list[JsonDocument]]:
    schedules: dict[str, list[JsonDocument]] = {}
    for document in documents:
        schedules.setdefault(f'"{describe(document)}"', []).append(document)
    return schedules


def _without_labels(run_config: JsonDocument) -> JsonDocument:
    return {key: value for key, value in run_config.items() if key != "labels"}


def _named(noun: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    verdicts: list[tuple[str, Callable[[str], bool], Iterable[str]]] = [
        ("added", lambda name: name not in before, after),
        ("removed", lambda name: name not in after, before),
        ("changed", lambda name: name in before and before[name] != after[name], after),
    ]
    phrases = []
    for verb, applies, names in verdicts:
        hits = [name for name in names if applies(name)]
        if hits:
            more = f" and {len(hits) - _MOST_NAMED} more" if len(hits) > _MOST_NAMED else ""
            plural = "s" if len(hits) > 1 else ""
            phrases.append(f"{noun}{plural} {', '.join(hits[:_MOST_NAMED])}{more} {verb}")
    return phrases
