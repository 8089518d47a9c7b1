"""A rollback makes a copy of an earlier version the newest one: recorded, in one transaction, followed by schedules and by runs that wait."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.agents import Enrol
from appliance.protocol.flows import Registered, RollBack
from appliance.protocol.life_cycle import EditFlow
from appliance.protocol.schedules import SkipDueTime
from appliance.server.actions import agents, flow_edits, rollbacks, schedules, skipped_times
from appliance.server.db.session import Database
from appliance.server.domain import rollbacks as rules
from appliance.server.errors import ClosedFolder, Conflict, NotFound
from tests.integration.builders import ALICE, MINUTELY, N, begun, check_usage, create, one, register, rows
from tests.integration.conftest import StoppedClock
from tests.integration.test_deploys import messages, version_of
from tests.integration.test_registration_previews import everything

DAILY = {"kind": "cron", "cron": "0 6 * * *", "timezone": "UTC"}
CONTENT = "graph, parameters, schedules, storage, storage_type, run_config, labels, sdk_version, stored_bytes"


def two_versions(db: Database, **parts: Any) -> UUID:
    """The first has a schedule, a label and a parameter; the second has another task and no schedule."""
    register(db, content="a", schedules=[DAILY], labels=["gpu"], parameters=[N], secrets=["TOKEN"], **parts)
    return register(db, content="b", more_tasks=("third-1",), **parts).flow_id


def back(db: Database, flow: UUID, to: int = 1, **fields: Any) -> Registered:
    return rollbacks.roll_back(db, ALICE, flow, RollBack(to=to, **fields))


def version(db: Database, number: int, columns: str = "*") -> dict[str, Any]:
    return one(db, f"select {columns} from flow_version where number = :number", number=number)


def test_the_newest_version_is_a_copy_that_says_so(database: Database, clock: StoppedClock) -> None:
    flow = two_versions(database)
    done = back(database, flow, reason="wrong totals")
    assert (done.version, done.restores, done.created) == (3, 1, True)
    assert done.changes[0] == "rolled back to version 1: wrong totals"
    assert "the code" in done.changes and "task third-1 removed" in done.changes
    assert [news.outcome for news in done.schedules] == ["added"]
    assert version(database, 3, CONTENT) == version(database, 1, CONTENT)
    assert version(database, 3)["created_by"] == "alice"
    secrets = (
        "select count(*) as n from declared_secret s join flow_version v on v.id = s.flow_version_id where number = 3"
    )
    assert one(database, secrets)["n"] == 1
    event = rows(database, "select data from event where kind = 'flow.registered' order by id")[-1]
    assert "wrong totals" in str(event["data"]) and "rolled_back_to" in str(event["data"])
    assert rows(database, "select id from flow_run") != []  # of the schedule that is back
    check_usage(database)


def test_a_preview_says_what_a_rollback_then_does(database: Database, clock: StoppedClock) -> None:
    flow = two_versions(database)
    before = everything(database)
    coming = rollbacks.preview(database, ALICE, flow, RollBack(to=1))
    assert everything(database) == before
    done = back(database, flow)
    for name in ("version", "restores", "changes", "warnings"):
        assert getattr(coming, name) == getattr(done, name)
    assert [(news.outcome, news.text) for news in coming.schedules] == [
        (news.outcome, news.text) for news in done.schedules
    ]


def test_waiting_runs_follow_and_those_in_progress_keep_their_version(database: Database, clock: StoppedClock) -> None:
    register(database, content="a", schedules=[MINUTELY])
    running, _agent = begun(database, content="b", schedules=[MINUTELY])
    flow = UUID(str(one(database, "select id from flow")["id"]))
    by_hand = create(database, flow)
    clock.move(90)
    due = UUID(str(rows(database, "select id from flow_run where due_at is not null order by due_at")[0]["id"]))
    back(database, flow)
    assert version_of(database, running) == version_of(database, by_hand) == 2
    assert version_of(database, due) == 3
    assert messages(database, due)[-1] == "Moved from version 2 to version 3, which was registered."
    planned = rows(database, "select flow_version_id from flow_run where due_at is not null and start_time is null")
    assert {row["flow_version_id"] for row in planned} == {version(database, 3, "id")["id"]}


def test_schedules_are_as_declared_there_and_edits_stay(database: Database, clock: StoppedClock) -> None:
    register(database, content="a", schedules=[DAILY, MINUTELY])
    flow = register(database, content="b", schedules=[DAILY | {"cron": "0 7 * * *"}]).flow_id
    schedule = UUID(str(one(database, "select id from schedule")["id"]))
    schedules.edit(database, ALICE, schedule, overlap_policy())
    own = schedules.create(database, ALICE, flow, {"kind": "cron", "cron": "0 9 * * *"}).id
    skip = SkipDueTime(at=datetime(2026, 3, 3, 9, tzinfo=UTC))
    skipped_times.skip(database, ALICE, own, skip)
    done = back(database, flow)
    assert sorted(news.outcome for news in done.schedules) == ["added", "changed"]
    stored = rows(database, "select origin, overlap from schedule order by origin, id")
    assert [row["origin"] for row in stored] == ["code", "code", "ui"]
    assert "skip" in {row["overlap"] for row in stored}
    assert rows(database, "select code from schedule_skip") == [{"code": "skipped"}]


def overlap_policy() -> dict[str, Any]:
    return DAILY | {"cron": "0 7 * * *", "overlap": "skip"}


def test_whoever_has_not_seen_the_newest_version_is_told(database: Database) -> None:
    flow = two_versions(database)
    register(database, content="c")
    before = everything(database)
    with pytest.raises(Conflict, match="Version 3 was registered in the meantime") as refused:
        back(database, flow, newest=2)
    assert refused.value.details == {"version": 3}
    with pytest.raises(Conflict):
        rollbacks.preview(database, ALICE, flow, RollBack(to=1, newest=2))
    assert everything(database) == before
    assert back(database, flow, newest=3).version == 4


def test_what_is_there_already_or_is_not_there_is_refused(database: Database) -> None:
    flow = two_versions(database)
    with pytest.raises(Conflict, match="nothing to roll back"):
        back(database, flow, to=2)
    with pytest.raises(NotFound, match="no version 9"):
        back(database, flow, to=9)
    with pytest.raises(NotFound, match="no version 0"):
        back(database, flow, to=0)
    with pytest.raises(NotFound):
        back(database, UUID(int=1))
    back(database, flow)
    with pytest.raises(Conflict, match=r"newest version, 3, has the content of version 1"):
        back(database, flow)
    assert back(database, flow, to=2).changes[0] == "rolled back to version 2"
    flow_edits.edit(database, ALICE, flow, EditFlow(archived=True))
    with pytest.raises(Conflict, match="is archived"):
        back(database, flow)


def test_what_no_agent_would_take_is_refused(database: Database) -> None:
    flow = two_versions(database, storage={"type": "local", "path": "/flows/etl.py"})
    before = everything(database)
    agents.enrol(database, ALICE, Enrol(name="here", type="process", roots=["/srv"], labels=["gpu"]))
    with pytest.raises(ClosedFolder):
        back(database, flow)
    coming = rollbacks.preview(database, ALICE, flow, RollBack(to=1))
    assert coming.closed_folder == "/flows" and coming.created
    assert everything(database)["flow_version"] == before["flow_version"]


def test_code_that_stays_where_it_is_is_said(database: Database) -> None:
    flow = two_versions(database)
    (warning, *_) = back(database, flow).warnings
    assert warning.startswith("The code of version 1 is in files on the agents' machines") and "etl.py" in warning
    same = {"type": "local", "path": "etl.py"}
    assert rules.left_behind(1, same, same) == []
    module = {
        "type": "module",
        "module": "etl",
        "flow": "etl",
        "sha256": "0" * 64,
        "distribution": "etl",
        "version": "1",
    }
    assert "is etl 1, which a rollback doesn't install" in rules.left_behind(1, module, same)[0]
    bundle = {"type": "bundle", "digest": "0" * 64, "files": {}, "path": "etl.py", "flow": "etl", "sha256": "0" * 64}
    assert rules.left_behind(1, bundle, same) == []


def test_of_two_at_once_one_wins(database: Database) -> None:
    """Both have seen version 2 as the newest."""
    flow = two_versions(database)
    outcomes: list[object] = []

    def attempt() -> None:
        try:
            outcomes.append(back(database, flow, newest=2).version)
        except Conflict as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 3 in outcomes and "in the meantime" in str(outcomes)
    assert len(rows(database, "select id from flow_version")) == 3
