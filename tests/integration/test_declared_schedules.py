"""Registering again: what an operator has changed about a schedule stays, unless code changes the same field, and the answer says so."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.flows import Registered
from appliance.protocol.schedules import EditSchedule, ScheduleNews
from appliance.server.actions import schedules
from appliance.server.actions.schedule_rows import Policy
from appliance.server.db.session import Database
from appliance.server.db.tables.schedules import Schedule
from appliance.server.errors import Conflict, Invalid
from tests.integration.builders import ALICE, N, register, rows
from tests.integration.conftest import StoppedClock

NIGHTLY: dict[str, Any] = {"kind": "cron", "cron": "0 2 * * *", "timezone": "UTC"}
MOVED = NIGHTLY | {"cron": "30 2 * * *"}
HOURLY: dict[str, Any] = {"kind": "interval", "seconds": 3600.0, "timezone": "UTC"}


def deploy(db: Database, *declared: dict[str, Any], note: str = "", **options: Any) -> Registered:
    return register(db, schedules=list(declared), parameters=[N], content=f"{declared} {note}", **options)


def found(db: Database) -> list[Schedule]:
    with db.read() as session:
        return sorted(session.query(Schedule).all(), key=lambda schedule: schedule.id)


def only(db: Database) -> Schedule:
    (schedule,) = found(db)
    return schedule


def news(answer: Registered) -> ScheduleNews:
    (one,) = answer.schedules
    return one


def planned(db: Database) -> int:
    return len(rows(db, "select id from flow_run where schedule_id is not null"))


def test_a_pause_and_policies_survive_every_redeploy(database: Database, clock: StoppedClock) -> None:
    deploy(database, NIGHTLY)
    policy = Policy(overlap="queue", catch_up="all", catch_up_cap=5, catch_up_window=60)
    schedules.edit(database, ALICE, only(database).id, active=False, policy=policy)
    for note, document in (("code alone", NIGHTLY), ("cron moved", MOVED), ("back", NIGHTLY)):
        answer = news(deploy(database, document, note=note))
        now = only(database)
        assert not now.active and planned(database) == 0
        assert (now.overlap, now.catch_up, now.catch_up_cap, now.catch_up_window) == ("queue", "all", 5, 60)
        assert now.document["cron"] == document["cron"]
        assert not answer.active and "It stays paused." in answer.text


def test_edits_survive_until_code_changes_the_same_field(database: Database, clock: StoppedClock) -> None:
    deploy(database, NIGHTLY)
    id = only(database).id
    edited = NIGHTLY | {"cron": "0 5 * * *", "timezone": "Europe/Berlin"}
    schedules.edit(database, ALICE, id, edited, {"n": 2}, labels=["mine"])
    answer = news(deploy(database, NIGHTLY, note="code alone"))
    assert answer.outcome == "kept"
    assert {edit.field: (edit.value, edit.code) for edit in answer.edits} == {
        "cron": ("0 5 * * *", "0 2 * * *"),
        "timezone": ("Europe/Berlin", "UTC"),
        "parameters.n": (2, None),
        "labels.mine": (True, None),
    }
    now = only(database)
    assert (now.document["cron"], now.timezone, now.parameters, now.labels) == (
        "0 5 * * *",
        "Europe/Berlin",
        {"n": 2},
        ["mine"],
    )
    answer = news(deploy(database, MOVED))
    assert [(change.field, change.after, change.edited) for change in answer.changes] == [("cron", "30 2 * * *", True)]
    assert "cron from 0 5 * * * to 30 2 * * *, in place of an operator's edit" in answer.text
    now = only(database)
    assert (now.id, now.document["cron"], now.timezone, now.parameters) == (id, "30 2 * * *", "Europe/Berlin", {"n": 2})
    assert planned(database) == 10


def test_code_declares_policies_and_an_operators_win(database: Database) -> None:
    said = NIGHTLY | {"overlap": "skip", "catch_up": "all", "catch_up_cap": 3, "catch_up_window": 600.0}
    deploy(database, said)
    now = only(database)
    assert (now.overlap, now.catch_up, now.catch_up_cap, now.catch_up_window) == ("skip", "all", 3, 600.0)
    assert set(now.document) & {"overlap", "catch_up", "catch_up_cap", "catch_up_window"} == set()
    schedules.edit(database, ALICE, now.id, policy=Policy(overlap="allow", catch_up_window=0))
    answer = news(deploy(database, said, note="again"))
    assert {edit.field: (edit.value, edit.code) for edit in answer.edits} == {
        "overlap": ("allow", "skip"),
        "catch_up_window": (None, 600.0),
    }
    answer = news(deploy(database, said | {"overlap": "cancel", "catch_up_cap": 4}))
    assert {change.field: change.edited for change in answer.changes} == {"overlap": True, "catch_up_cap": False}
    now = only(database)
    assert (now.overlap, now.catch_up_cap, now.catch_up_window) == ("cancel", 4, None)
    with pytest.raises(Invalid, match="The overlap policy must be one of"):
        deploy(database, NIGHTLY | {"overlap": "never"})


def test_what_code_no_longer_declares_goes_and_an_operators_own_stays(database: Database) -> None:
    flow = deploy(database, NIGHTLY, HOURLY)
    own = schedules.create(database, ALICE, flow.flow_id, NIGHTLY)
    schedules.set_active(database, ALICE, own.id, False)
    first, second, _ = found(database)
    answer = news(deploy(database, HOURLY))
    assert (answer.outcome, answer.id, answer.active) == ("removed", None, False)
    assert [schedule.id for schedule in found(database)] == [second.id, own.id]
    answer = news(deploy(database))
    assert "the code does not declare it any more" in answer.text
    (left,) = found(database)
    assert (left.id, left.active, left.document, left.origin) == (own.id, False, NIGHTLY, "ui")
    assert first.id != second.id


def test_each_is_found_again_by_what_it_says(database: Database) -> None:
    eu, us = NIGHTLY | {"parameters": {"n": 1}}, NIGHTLY | {"parameters": {"n": 2}}
    deploy(database, eu, us)
    first, second = found(database)
    schedules.set_active(database, ALICE, second.id, False)
    deploy(database, us | {"cron": "1 1 * * *"}, eu)
    now = {schedule.id: schedule for schedule in found(database)}
    assert (now[second.id].document["cron"], now[second.id].active) == ("1 1 * * *", False)
    assert (now[first.id].document["cron"], now[first.id].active) == ("0 2 * * *", True)


def test_a_deleted_one_stays_deleted_until_code_changes_it(database: Database) -> None:
    deploy(database, NIGHTLY)
    schedules.delete(database, ALICE, only(database).id)
    for note in ("code alone", "again"):
        answer = news(deploy(database, NIGHTLY, note=note))
        assert answer.outcome == "left deleted" and "stays deleted" in answer.text
        assert found(database) == []
    assert news(deploy(database, MOVED)).outcome == "added"
    assert only(database).active


def test_no_schedule_pauses_once(database: Database) -> None:
    deploy(database, NIGHTLY)
    answer = news(deploy(database, NIGHTLY, active=False))  # the same content
    assert [(change.field, change.after) for change in answer.changes] == [("active", False)]
    assert not only(database).active and planned(database) == 0
    schedules.set_active(database, ALICE, only(database).id, True)
    assert deploy(database, NIGHTLY, note="the operator's decision", active=False).schedules == []
    assert only(database).active
    schedules.set_active(database, ALICE, only(database).id, False)
    answer = news(deploy(database, MOVED))
    assert not only(database).active and "It stays paused." in answer.text


def test_an_edit_that_does_not_go_with_the_code_gives_way(database: Database) -> None:
    deploy(database, NIGHTLY)
    schedules.edit(database, ALICE, only(database).id, NIGHTLY | {"end": "2026-06-01T00:00:00Z"}, {"n": 4})
    answer = news(deploy(database, NIGHTLY | {"start": "2026-07-01T00:00:00Z"}))
    now = only(database)
    assert (
        now.document.get("end") is None
        and now.document["start"] == "2026-07-01T00:00:00Z"
        and now.parameters == {"n": 4}
    )
    assert {change.field for change in answer.changes} == {"start", "end"}


@pytest.mark.parametrize("own", [False, True])
def test_parameters_that_the_new_version_lacks_turn_it_off_with_a_reason(database: Database, own: bool) -> None:
    flow = deploy(database, *([] if own else [NIGHTLY]))
    schedule = schedules.create(database, ALICE, flow.flow_id, NIGHTLY) if own else only(database)
    schedules.edit(database, ALICE, schedule.id, parameters={"n": 2})
    answer = news(register(database, schedules=[] if own else [NIGHTLY], parameters=[], content="without n"))
    assert answer.outcome == "turned off" and "'n'" in answer.text
    assert not only(database).active and planned(database) == 0


def test_schedules_from_before_keep_what_operators_did(database: Database) -> None:
    """Earlier releases did not store what code declared: it is in the version before."""
    deploy(database, NIGHTLY, HOURLY)
    first, second = found(database)
    schedules.edit(database, ALICE, first.id, NIGHTLY | {"cron": "0 5 * * *"}, active=False)
    with database.write("forget") as session:
        for schedule in session.query(Schedule).all():
            schedule.declared = None
    deploy(database, NIGHTLY, HOURLY | {"seconds": 1800.0})
    now = {schedule.id: schedule for schedule in found(database)}
    assert (now[first.id].document["cron"], now[first.id].active) == ("0 5 * * *", False)
    assert now[second.id].document["seconds"] == 1800.0 and now[second.id].active


def test_fields_go_back_to_what_code_says(database: Database) -> None:
    deploy(database, NIGHTLY | {"parameters": {"n": 1}, "overlap": "skip"})
    id = only(database).id
    schedules.edit(database, ALICE, id, HOURLY, {"n": 2}, policy=Policy(overlap="queue"))
    change(database, id, reset=["times"])
    assert (only(database).kind, only(database).parameters, only(database).overlap) == ("cron", {"n": 2}, "queue")
    change(database, id, reset=["parameters", "overlap"])
    assert (only(database).document["cron"], only(database).parameters, only(database).overlap) == (
        "0 2 * * *",
        {"n": 1},
        "skip",
    )
    with pytest.raises(Invalid, match="no field 'crom'"):
        change(database, id, reset=["crom"])
    own = schedules.create(database, ALICE, only(database).flow_id, HOURLY)
    with pytest.raises(Conflict, match="nothing to go back to"):
        change(database, own.id, reset=["times"])


def test_an_edit_of_what_has_changed_since_is_refused(database: Database) -> None:
    deploy(database, NIGHTLY)
    seen = only(database)
    change(database, seen.id, labels=["a"], version=seen.version)
    with pytest.raises(Conflict, match="changed in the meantime"):
        change(database, seen.id, labels=["b"], version=seen.version)
    assert only(database).labels == ["a"]


def change(db: Database, id: UUID, **fields: Any) -> None:
    schedules.change(db, ALICE, id, EditSchedule(**fields))
