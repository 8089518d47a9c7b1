"""Who owns which field of a schedule: what code declared last time, what it declares now, and what is stored, merged field by field.

A field is a key of the schedule's document, one parameter ("parameters.region"), one label ("labels.gpu"), or a policy. Where documents
differ in kind, everything that belongs to the kind is one field, "times".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from appliance.kit.documents import JsonDocument
from appliance.protocol.schedules import FieldChange, FieldEdit
from appliance.schedules.policies import DEFAULTS
from appliance.schedules.series import FIELDS_OF_KIND

Fields = dict[str, Any]
TIMES = "times"
_TIMES = frozenset({"kind", *(name for names in FIELDS_OF_KIND.values() for name in names)})
_MISSING = object()
_NOTHING: Mapping[str, Any] = {"timezone": "UTC", "day_or": True}
"""What an absent field of a document means, where that isn't nothing at all."""


class UnknownField(ValueError):
    """The name of a field that no schedule has."""


@dataclass(frozen=True)
class Merge:
    """The declaration that holds from now on, the fields that code changed, and the operators' edits that stay."""

    document: JsonDocument
    changes: list[FieldChange] = field(default_factory=list)
    kept: list[FieldEdit] = field(default_factory=list)


def merge(before: JsonDocument, declared: JsonDocument, stored: JsonDocument) -> Merge:
    """`stored`, changed where code says something else than before. All three are whole declarations."""
    one_kind = _of_one_kind(before, declared, stored)
    was, says, has = (_flat(document, one_kind) for document in (before, declared, stored))
    changes, kept = [], []
    merged = dict(has)
    for name in dict.fromkeys([*has, *says, *was]):
        old, new, now = (fields.get(name, _MISSING) for fields in (was, says, has))
        if not _same(name, new, old) and not _same(name, new, now):
            edited = not _same(name, _shown(name, old), _shown(name, now))
            value = now if edited and _leaves_open(name, new) else new
            _put(merged, name, value)
            if not _same(name, _shown(name, value), _shown(name, now)):
                change = FieldChange(field=name, before=_shown(name, now), after=_shown(name, value), edited=edited)
                changes.append(change)
        elif not _same(name, new, now) and not _leaves_open(name, new):
            kept.append(FieldEdit(field=name, value=_shown(name, now), code=_shown(name, new)))
    return Merge(_whole(merged), changes, kept)


def taking_times(declared: JsonDocument, stored: JsonDocument, merged: Merge) -> Merge:
    """The merge, but with all times as code declares them: for edits of times that don't go together with what the code says now."""
    beside = ("parameters", "labels", "run_config", *DEFAULTS)
    times = {name: value for name, value in declared.items() if name not in beside}
    document = times | {name: merged.document[name] for name in beside if name in merged.document}
    changes = [
        FieldChange(field=edit.field, before=edit.value, after=edit.code, edited=True)
        for edit in edits(document, stored)
        if edit.field.partition(".")[0] not in beside
    ]
    others = [change for change in merged.changes if change.field.partition(".")[0] in beside]
    kept = [edit for edit in merged.kept if edit.field.partition(".")[0] in beside]
    return Merge(document, changes + others, kept)


def edits(declared: JsonDocument, stored: JsonDocument) -> list[FieldEdit]:
    """The fields in which a schedule differs from what code says."""
    return merge(declared, declared, stored).kept


def reset(declared: JsonDocument, stored: JsonDocument, names: Iterable[str]) -> JsonDocument:
    """`stored` with these fields as code declares them, or as they are by default; "parameters" and "labels" mean all of them.

    Raises UnknownField.
    """
    says, has = (_flat(document, _of_one_kind(declared, stored)) for document in (declared, stored))
    for name in names:
        part = TIMES if TIMES in has and name in _TIMES else name
        fields = [known for known in {**says, **has} if known == part or known.startswith(f"{part}.")]
        if not fields and part.partition(".")[0] not in (*_KNOWN, TIMES):
            raise UnknownField(f"A schedule has no field {name[:60]!r}; name one of {', '.join(sorted(_KNOWN))}.")
        for known in fields:
            _put(has, known, says.get(known, _MISSING))
    return _whole(has)


def pairs(rows: Sequence[JsonDocument], declared: Sequence[JsonDocument]) -> dict[int, int]:
    """Which declaration is which schedule of before, by position: equal ones first, then those that differ in policies alone, in times
    alone, in parameters and labels alone, and the others in their order."""
    matches: dict[int, int] = {}
    likenesses: list[Callable[[JsonDocument], Hashable]] = [
        canonical,
        lambda document: _bytes(document, without=DEFAULTS),
        lambda document: _bytes(document, only=("kind", "parameters", "labels")),
        lambda document: _bytes(document, without=("parameters", "labels", "run_config", *DEFAULTS)),
        lambda document: None,
    ]
    for likeness in likenesses:
        free = [index for index in range(len(declared)) if index not in matches]
        taken = set(matches.values())
        for position, row in enumerate(rows):
            match = next((index for index in free if likeness(declared[index]) == likeness(row)), None)
            if position not in taken and match is not None:
                matches[match] = position
                free.remove(match)
    return matches


def differences(
    before: Sequence[JsonDocument], after: Sequence[JsonDocument]
) -> tuple[list[JsonDocument], list[JsonDocument], list[tuple[JsonDocument, JsonDocument, list[FieldChange]]]]:
    """What differs between two lists: the declarations added, those removed, and the edited ones, each with its former self."""
    matches = pairs(before, after)
    kept = set(matches.values())
    edited = [
        (before[old], after[new], edits_of_code)
        for new, old in sorted(matches.items())
        if (edits_of_code := merge(before[old], after[new], before[old]).changes)
    ]
    return (
        [document for new, document in enumerate(after) if new not in matches],
        [document for old, document in enumerate(before) if old not in kept],
        edited,
    )


def without(documents: Iterable[JsonDocument], others: Iterable[JsonDocument]) -> list[JsonDocument]:
    """The documents, less one for each of the others that means the same."""
    left = Counter(map(canonical, others))
    remaining = []
    for document in documents:
        key = canonical(document)
        if left[key] > 0:
            left[key] -= 1
        else:
            remaining.append(document)
    return remaining


def canonical(document: JsonDocument) -> bytes:
    """The same bytes for declarations that mean the same."""
    return _bytes(document)


_KNOWN = frozenset(
    {
        "kind",
        "timezone",
        "start",
        "end",
        "parameters",
        "labels",
        "run_config",
        "filters",
        "or_filters",
        "not_filters",
        "adjustments",
    }
    | {"calendar", *_TIMES, *DEFAULTS}
)


def _of_one_kind(*documents: JsonDocument) -> bool:
    return len({document.get("kind") for document in documents}) == 1


def _flat(document: JsonDocument, one_kind: bool = True) -> Fields:
    fields: Fields = {}
    for name, value in document.items():
        if name not in _KNOWN:
            continue  # what is stored beside a declaration
        if name == "parameters":
            fields |= {f"parameters.{key}": item for key, item in (value or {}).items()}
        elif name == "labels":
            fields |= {f"labels.{label}": True for label in value or ()}
        elif not _says_nothing(name, value):
            fields[name] = value
    if not one_kind:
        fields[TIMES] = {name: fields.pop(name) for name in sorted(_TIMES & fields.keys())}
    return fields


def _whole(fields: Fields) -> JsonDocument:
    document: JsonDocument = {"parameters": {}, "labels": []}
    for name, value in fields.items():
        part, _, key = name.partition(".")
        if part == "parameters":
            document["parameters"][key] = value
        elif part == "labels":
            document["labels"].append(key)
        elif part == TIMES:
            document |= value
        else:
            document[name] = value
    document.setdefault("timezone", "UTC")
    return document


def _says_nothing(name: str, value: Any) -> bool:
    return value is None or value in ([], {}) or (name in _NOTHING and value == _NOTHING[name])


def _leaves_open(name: str, value: Any) -> bool:
    """Does code say nothing about a policy? Then it is the operators'."""
    return value is _MISSING and name in DEFAULTS


def _same(name: str, one: Any, other: Any) -> bool:
    if one is _MISSING or other is _MISSING or not name.startswith("parameters."):
        return bool(one == other)
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")


def _put(fields: Fields, name: str, value: Any) -> None:
    if value is _MISSING:
        fields.pop(name, None)
    else:
        fields[name] = value


def _shown(name: str, value: Any) -> Any:
    """A value for people, with what an absent field means."""
    if value is not _MISSING:
        return value
    return DEFAULTS.get(name, _NOTHING.get(name))


def _bytes(document: JsonDocument, *, only: Iterable[str] | None = None, without: Iterable[str] = ()) -> bytes:
    fields = _flat(document)
    names = {name for name in fields if only is None or name.partition(".")[0] in only}
    kept = {name: fields[name] for name in names if name not in without and name.partition(".")[0] not in without}
    return msgspec.json.encode(kept, order="deterministic")
