"""What registering did with the schedules of a flow's code, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from appliance.protocol.schedules import FieldChange, FieldEdit
from appliance.schedules import describe

_WORDS = {
    "timezone": "time zone",
    "seconds": "interval in seconds",
    "catch_up": "catch-up",
    "catch_up_cap": "catch-up cap",
    "catch_up_window": "catch-up window in seconds",
    "day_or": "either day field counts",
    "or_filters": "or-filters",
    "not_filters": "not-filters",
}
_LONGEST = 60
Outcome = Literal["added", "changed", "kept", "removed", "left deleted", "turned off"]
_OUTCOMES: dict[Outcome, str] = {
    "added": "was added",
    "changed": "was changed",
    "kept": "is unchanged in the code",
    "removed": "was removed, because the code does not declare it any more",
    "left deleted": "stays deleted, as an operator left it; `appliance schedule add` adds one like it",
    "turned off": "was turned off, because it does not fit the new version",
}


def sentence(
    description: str,
    outcome: Outcome,
    active: bool,
    changes: Iterable[FieldChange] = (),
    edits: Iterable[FieldEdit] = (),
    reason: str = "",
) -> str:
    """Such as: Schedule "Every day at 02:30" was changed: cron from 0 2 * * * to 30 2 * * *. It stays paused."""
    changed, stays = "; ".join(map(change_words, changes)), "; ".join(map(_edit, edits))
    text = f'Schedule "{description}" {_OUTCOMES[outcome]}'
    text += f": {changed}." if changed else "."
    if reason:
        text += f" {reason}"
    if not active and outcome in ("added", "changed", "kept"):
        text += " It is paused." if outcome == "added" else " It stays paused."
    if stays:
        text += f" Edits by operators {'stay' if outcome != 'removed' else 'went with it'}: {stays}."
    return text


def field_words(name: str) -> str:
    """The name of a field for people: "parameter region" for "parameters.region"."""
    part, _, key = name.partition(".")
    if part in ("parameters", "labels"):
        return f"{part[:-1]} {key}"
    return _WORDS.get(name, name)


def change_words(change: FieldChange) -> str:
    """Such as: cron from 0 2 * * * to 30 2 * * *."""
    name, before, after = field_words(change.field), _value(change.field, change.before), None
    if change.field.startswith("labels."):
        words = f"{name} {'added' if change.after else 'removed'}"
    elif change.field == "active":
        words = "paused, as --no-schedule asks" if not change.after else "turned on"
    elif change.after is None:
        words = f"{name} {before} removed"
    else:
        after = _value(change.field, change.after)
        words = f"{name} is now {after}" if change.before is None else f"{name} from {before} to {after}"
    return f"{words}, in place of an operator's edit" if change.edited else words


def _edit(edit: FieldEdit) -> str:
    name = field_words(edit.field)
    if edit.field.startswith("labels."):
        return f"{name} {'added' if edit.value else 'removed'}"
    code = "nothing" if edit.code is None else _value(edit.field, edit.code)
    return f"{name} {'removed' if edit.value is None else _value(edit.field, edit.value)} (code says {code})"


def _value(name: str, value: Any) -> str:
    if name == "times" and isinstance(value, dict):
        return f'"{describe(value)}"'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
