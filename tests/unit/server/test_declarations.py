"""Code and operators each own their part of a schedule: a merge of three declarations, field by field."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from appliance.protocol.schedules import FieldChange, FieldEdit
from appliance.server.domain import declarations
from appliance.server.domain.declarations import edits, merge, pairs, reset
from appliance.server.domain.schedule_words import sentence

NIGHTLY: dict[str, Any] = {
    "kind": "cron",
    "cron": "0 2 * * *",
    "timezone": "UTC",
    "parameters": {"x": 1},
    "labels": ["a"],
}
OTHER: dict[str, Any] = {
    "cron": "0 5 * * *",
    "timezone": "Europe/Berlin",
    "day_or": False,
    "start": "2026-01-01T00:00:00Z",
    "end": "2027-01-01T00:00:00Z",
    "filters": [{"kind": "is_weekday"}],
    "or_filters": [{"kind": "is_weekday"}],
    "not_filters": [{"kind": "is_weekday"}],
    "adjustments": [{"kind": "next_weekday"}],
    "calendar": {"holidays": ["12-25"]},
    "parameters": {"x": 2},
    "labels": ["b"],
    "overlap": "skip",
    "catch_up": "all",
    "catch_up_cap": 7,
    "catch_up_window": 60.0,
}
THIRD: dict[str, Any] = (
    OTHER
    | {
        "cron": "30 2 * * *",
        "timezone": "Asia/Tokyo",
        "start": "2026-02-01T00:00:00Z",
        "end": "2027-02-01T00:00:00Z",
        "parameters": {"x": 3},
        "labels": ["c"],
        "overlap": "queue",
        "catch_up": "none",
        "catch_up_cap": 8,
        "catch_up_window": 90.0,
    }
    | {name: [] for name in ("filters", "or_filters", "not_filters", "adjustments")}
    | {"calendar": {"holidays": ["12-26"]}}
)
FIELDS = sorted(OTHER)


def stored(**more: Any) -> dict[str, Any]:
    return NIGHTLY | {"overlap": "allow", "catch_up": "latest", "catch_up_cap": 100, "catch_up_window": None} | more


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return declarations.canonical(one) == declarations.canonical(other)


@pytest.mark.parametrize("name", FIELDS)
def test_an_edit_stays_while_code_says_the_same(name: str) -> None:
    edited = stored(**{name: OTHER[name]})
    merged = merge(NIGHTLY, NIGHTLY, edited)
    assert merged.changes == [] and same(merged.document, edited)


@pytest.mark.parametrize(("name", "changed"), list(permutations(FIELDS, 2)))
def test_an_edit_stays_when_code_changes_another_field(name: str, changed: str) -> None:
    declared = NIGHTLY | {changed: OTHER[changed]}
    edited = stored(**{name: THIRD[name]})
    merged = merge(NIGHTLY, declared, edited)
    assert merged.document.get(name, []) == THIRD[name]
    assert merged.document[changed] == OTHER[changed]
    assert {change.field.partition(".")[0] for change in merged.changes} == {changed}


@pytest.mark.parametrize("name", [name for name in FIELDS if THIRD[name] not in ([], OTHER[name], ["c"])])
def test_code_takes_a_field_back_and_says_so(name: str) -> None:
    edited = stored(**{name: OTHER[name]})
    merged = merge(NIGHTLY, NIGHTLY | {name: THIRD[name]}, edited)
    assert merged.document[name] == THIRD[name]
    (change,) = merged.changes
    assert change.edited and change.field.partition(".")[0] == name


def test_what_both_changed_alike_is_no_news() -> None:
    assert merge(NIGHTLY, NIGHTLY | OTHER, stored(**OTHER)).changes == []


def test_parameters_and_labels_are_owned_one_by_one() -> None:
    edited = stored(parameters={"x": 1, "mine": 5}, labels=["a", "mine"])
    merged = merge(NIGHTLY, NIGHTLY | {"parameters": {"x": 2, "new": 3}, "labels": ["b"]}, edited)
    assert merged.document["parameters"] == {"x": 2, "mine": 5, "new": 3}
    assert sorted(merged.document["labels"]) == ["b", "mine"]
    assert {change.field for change in merged.changes} == {"parameters.x", "parameters.new", "labels.a", "labels.b"}
    assert not any(change.edited for change in merged.changes)


def test_a_parameter_of_another_type_is_another_value() -> None:
    edited = stored(parameters={"x": True})
    assert merge(NIGHTLY, NIGHTLY, edited).kept == [FieldEdit(field="parameters.x", value=True, code=1)]


@pytest.mark.parametrize("mine", ["allow", "queue"])
def test_a_policy_that_code_does_not_say_is_the_operators(mine: str) -> None:
    merged = merge(NIGHTLY, NIGHTLY | {"cron": "5 2 * * *"}, stored(overlap=mine))
    assert merged.document["overlap"] == mine
    assert merged.kept == []


def test_code_gives_a_policy_up() -> None:
    said = NIGHTLY | {"overlap": "skip"}
    assert "overlap" not in merge(said, NIGHTLY, stored(overlap="skip")).document
    assert merge(said, NIGHTLY, stored(overlap="queue")).document["overlap"] == "queue"


def test_code_begins_to_say_a_policy() -> None:
    (change,) = merge(NIGHTLY, NIGHTLY | {"overlap": "skip"}, stored()).changes
    assert change == FieldChange(field="overlap", before="allow", after="skip", edited=False)
    (change,) = merge(NIGHTLY, NIGHTLY | {"overlap": "skip"}, stored(overlap="queue")).changes
    assert change == FieldChange(field="overlap", before="queue", after="skip", edited=True)


def test_another_kind_is_one_field() -> None:
    hourly = {"kind": "interval", "seconds": 3600.0, "parameters": {"x": 1}, "labels": ["a"], "timezone": "UTC"}
    edited = {key: value for key, value in stored().items() if key != "cron"} | {"kind": "interval", "seconds": 900.0}
    stays = merge(NIGHTLY, NIGHTLY | {"parameters": {"x": 2}}, edited)
    assert (stays.document["kind"], stays.document["seconds"], stays.document["parameters"]) == (
        "interval",
        900.0,
        {"x": 2},
    )
    assert [edit.field for edit in stays.kept] == ["times"]
    goes = merge(NIGHTLY, hourly, stored(cron="0 5 * * *"))
    assert goes.document["kind"] == "interval" and "cron" not in goes.document
    assert [(change.field, change.edited) for change in goes.changes] == [("times", True)]


@pytest.mark.parametrize("name", FIELDS)
def test_every_edit_goes_back_to_what_code_says(name: str) -> None:
    code = NIGHTLY | {"overlap": "cancel", "catch_up": "none", "catch_up_cap": 3, "catch_up_window": 5.0}
    edited = stored(**code) | {name: OTHER[name]}
    assert {edit.field.partition(".")[0] for edit in edits(code, edited)} == {name}
    assert edits(code, reset(code, edited, [name])) == []


def test_a_field_that_does_not_exist_can_not_go_back() -> None:
    with pytest.raises(declarations.UnknownField, match="no field 'crom'"):
        reset(NIGHTLY, stored(), ["crom"])


def test_a_schedule_is_found_again_however_its_declaration_changes() -> None:
    hourly = {"kind": "interval", "seconds": 3600.0, "parameters": {}, "labels": []}
    eu, us = NIGHTLY | {"parameters": {"region": "eu"}}, NIGHTLY | {"parameters": {"region": "us"}}
    for before, after, expected in (
        ([NIGHTLY, hourly], [hourly, NIGHTLY], {0: 1, 1: 0}),  # reordered
        ([NIGHTLY, hourly], [hourly], {0: 1}),  # the first is gone
        ([eu, us], [us | {"cron": "9 9 * * *"}, eu | {"cron": "9 8 * * *"}], {0: 1, 1: 0}),  # told apart by parameters
        ([eu, us], [us | {"overlap": "skip"}, eu], {0: 1, 1: 0}),
        ([NIGHTLY, hourly], [hourly | {"parameters": {"n": 1}}, NIGHTLY | {"labels": []}], {0: 1, 1: 0}),  # by times
        ([NIGHTLY], [hourly], {0: 0}),  # the only one
        ([NIGHTLY], [NIGHTLY, hourly], {0: 0}),
        ([], [NIGHTLY], {}),
    ):
        assert pairs(before, after) == expected


def test_whole_seconds_have_no_fraction() -> None:
    change = FieldChange(field="seconds", before=3600, after=10800.0, edited=False)
    assert sentence("Every 3 hours", "changed", True, [change]).endswith("interval in seconds from 3600 to 10800.")
