"""The run protocol: begin and report, sent once, twice, late, out of order and by an attempt that was replaced."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import text

from appliance.kit import ids
from appliance.protocol.logs import MAX_MESSAGE
from appliance.protocol.run_protocol import MAX_EVENTS, Begin, Report
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.db.session import Database
from appliance.server.errors import Invalid, NotFound, SequenceGap, StaleAttempt
from tests.integration.builders import (
    ALICE,
    RUN,
    N,
    begun,
    check_histories,
    claim,
    create,
    enrol,
    flow,
    line,
    one,
    register,
    rows,
    run_row,
    send,
    task,
)
from tests.integration.conftest import StoppedClock


def test_begin_answers_what_the_run_needs_as_often_as_it_asks(database: Database) -> None:
    registered = register(database, parameters=[N])
    run = create(database, registered.flow_id, parameters={"n": 7})
    [work] = claim(database, enrol(database))
    first = runs.begin(database, RUN, run, Begin(attempt=1))
    again = runs.begin(database, RUN, run, Begin(attempt=1))
    assert first == again
    assert (first.verdict, first.parameters, first.flow, first.project) == ("go", {"n": 7}, "etl", "demo")
    assert (first.flow_run_name, first.storage) == (work.name, {"type": "local", "path": "etl.py"})
    assert run_row(database, run)["version"] == 3
    check_histories(database)


def test_begin_of_another_attempt_is_refused(database: Database) -> None:
    run, _ = begun(database)
    answer = runs.begin(database, RUN, run, Begin(attempt=2))
    assert (answer.verdict, answer.reason) == (
        "refused",
        "Attempt 2 was replaced by attempt 1; end this process.",
    )
    with pytest.raises(NotFound):
        runs.begin(database, RUN, ids.uuid7(), Begin(attempt=1))


def test_begin_waits_while_the_flow_is_paused(database: Database) -> None:
    run = create(database, register(database).flow_id)
    claim(database, enrol(database))
    with database.write() as session:
        session.execute(text("update flow set paused = true"))
    answer = runs.begin(database, RUN, run, Begin(attempt=1))
    assert (answer.verdict, answer.reason, answer.retry_after) == ("wait", "The flow is paused.", 10.0)
    assert run_row(database, run)["version"] == 2


def test_a_batch_is_stored_whole(database: Database) -> None:
    run, _ = begun(database)
    answer = send(
        database,
        run,
        1,
        task("extract-1", "PENDING", "Pending"),
        task("extract-1", "RUNNING", "Running", run_count=1),
        line("hello", slug="extract-1"),
        task("extract-1", "SUCCESS", "Success", result_location="results/1"),
        task("load-1", "RUNNING", "Running", map_index=2, task_run_name="load 2"),
        line("careful", "WARNING"),
    )
    assert (answer.acked, answer.cancel, answer.lease_s) == (1, False, 90.0)
    found = one(database, "select * from task_run where task_slug = 'extract-1'")
    assert (found["state_type"], found["version"], found["run_count"], found["name"]) == ("SUCCESS", 3, 1, "extract")
    assert found["result_location"] == "results/1" and found["start_time"] and found["end_time"]
    assert str(found["id"]).replace("-", "") == ids.derived(run, "extract-1", -1).hex
    mapped = one(database, "select * from task_run where map_index = 2")
    assert (mapped["name"], mapped["state_name"], mapped["end_time"]) == ("load 2", "Running", None)
    assert [(row["level"], row["message"]) for row in rows(database, "select level, message from log order by id")] == [
        (20, "hello"),
        (30, "careful"),
    ]
    assert len(rows(database, "select id from event where kind = 'flow_run.progress'")) == 1
    check_histories(database)


def test_later_batches_number_on(database: Database) -> None:
    run, _ = begun(database)
    send(database, run, 1, task("extract-1", "RUNNING", "Running"))
    send(
        database,
        run,
        2,
        task("extract-1", "SCHEDULED", "Retrying"),
        task("extract-1", "RUNNING", "Running", run_count=2),
    )
    send(
        database,
        run,
        3,
        task("extract-1", "FAILED", "Failed", message="ValueError: x", data={"exception": "ValueError"}),
    )
    found = one(database, "select version, state_message, run_count from task_run")
    assert found == {"version": 4, "state_message": "ValueError: x", "run_count": 2}
    check_histories(database)


def test_a_finished_task_stays_as_it_is_within_an_attempt(database: Database) -> None:
    run, _ = begun(database)
    send(database, run, 1, task("extract-1", "SUCCESS", "Success"), task("extract-1", "RUNNING", "Running"))
    send(database, run, 2, task("extract-1", "FAILED", "Failed"), task("load-1", "SUCCESS", "Mapped"))
    send(database, run, 3, task("load-1", "FAILED", "Failed"))
    found = rows(database, "select task_slug, state_name, version from task_run order by task_slug")
    assert [tuple(row.values()) for row in found] == [("extract-1", "Success", 1), ("load-1", "Failed", 2)]
    check_histories(database)


def test_a_batch_sent_twice_counts_once(database: Database) -> None:
    run, _ = begun(database)
    for _ in range(3):
        assert send(database, run, 1, task("extract-1", "RUNNING", "Running"), line("once")).acked == 1
    assert send(database, run, 2, flow("SUCCESS", "Success")).acked == 2
    assert send(database, run, 2, flow("SUCCESS", "Success")).acked == 2
    assert len(rows(database, "select id from log")) == 1
    assert run_row(database, run)["version"] == 4
    check_histories(database)


def test_a_gap_is_refused_and_says_what_is_missing(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(SequenceGap, match="Batch 2 came before batch 1") as refused:
        send(database, run, 2, line("too early"))
    assert refused.value.details == {"acked": 0}
    with pytest.raises(SequenceGap):
        send(database, run, 1)  # a heartbeat carries what was acknowledged
    assert rows(database, "select id from log") == []


def test_a_stale_attempt_is_refused(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(StaleAttempt, match="Attempt 2 was replaced by attempt 1"):
        send(database, run, 1, line("x"), attempt=2)
    with pytest.raises(StaleAttempt):
        send(database, run, 1, attempt=0)


def test_a_report_before_begin_or_after_the_end_is_refused(database: Database) -> None:
    run = create(database, register(database).flow_id)
    claim(database, enrol(database))
    with pytest.raises(StaleAttempt, match="is Submitted and takes no reports"):
        send(database, run, 1, line("x"))
    runs.begin(database, RUN, run, Begin(attempt=1))
    send(database, run, 1, flow("FAILED", "Failed", message="no"))
    with pytest.raises(StaleAttempt, match="is Failed"):
        send(database, run, 2, line("x"))
    assert send(database, run, 1).cancel is True  # a heartbeat of a run that has ended: stop


def test_a_heartbeat_prolongs_the_lease_and_nothing_else(database: Database, clock: StoppedClock) -> None:
    run, _ = begun(database)
    clock.move(60)
    before = run_row(database, run)
    assert send(database, run, 0).acked == 0
    after = run_row(database, run)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"lease_expires_at"}


def test_the_end_of_a_run_ends_its_lease_and_what_it_left_open(database: Database) -> None:
    run, _ = begun(database)
    send(database, run, 1, task("extract-1", "RUNNING", "Running"), flow("SUCCESS", "Success", message="All done."))
    row = run_row(database, run)
    assert (row["state_type"], row["state_message"], row["lease_expires_at"]) == ("SUCCESS", "All done.", None)
    assert row["end_time"] is not None
    assert one(database, "select state_type from task_run") == {"state_type": "CANCELLED"}
    check_histories(database)


def test_a_restart_is_told_of_the_attempt_before(database: Database) -> None:
    run, agent = begun(database)
    send(
        database,
        run,
        1,
        task("extract-1", "SUCCESS", "Success", result_location="r/1"),
        task("load-1", "RUNNING", "Running"),
    )
    with database.write() as session:  # what a restart does to the row
        session.execute(text("update flow_run set state_type = 'SCHEDULED', state_name = 'AwaitingRetry', version = 4"))
        session.execute(
            text(
                "insert into flow_run_state (flow_run_id, version, attempt, type, name, message, at, actor)"
                " select id, 4, 1, 'SCHEDULED', 'AwaitingRetry', '', created, '' from flow_run"
            )
        )
    assert [work.attempt for work in claim(database, agent)] == [2]
    with pytest.raises(StaleAttempt):
        send(database, run, 2, line("late"))
    answer = runs.begin(database, RUN, run, Begin(attempt=2))
    assert {(item.task_slug, item.name, item.result_location) for item in answer.tasks} == {
        ("extract-1", "Success", "r/1"),
        ("load-1", "Running", None),
    }
    assert answer.last_seq == 0
    send(database, run, 1, task("extract-1", "SUCCESS", "Cached"), attempt=2)
    found = one(database, "select state_name, attempt, version from task_run where task_slug = 'extract-1'")
    assert found == {"state_name": "Cached", "attempt": 2, "version": 2}
    check_histories(database)


def test_texts_that_no_database_keeps_are_mended(database: Database) -> None:
    run, _ = begun(database)
    long = "x" * (MAX_MESSAGE + 5)
    failed = task("extract-1", "FAILED", "Failed", message="a\0b", data={"traceback": "c\0d"})
    send(database, run, 1, line("nul \0 here"), line(long), failed)
    messages = [row["message"] for row in rows(database, "select message from log order by id")]
    assert messages[0] == "nul � here"
    assert len(messages[1]) == MAX_MESSAGE and messages[1].endswith("[cut: 65541 characters]")
    assert one(database, "select state_message from task_run") == {"state_message": "a�b"}


@pytest.mark.parametrize(
    "event",
    [
        lambda: task("x" * 301, "RUNNING", "Running"),
        lambda: task("a\0", "RUNNING", "Running"),
        lambda: task("a", "RUNNING", "R" * 41),
        lambda: task("a", "RUNNING", "Running", map_index=2**31),
        lambda: task("a", "RUNNING", "Running", run_count=2**31),
        lambda: line("a", at=datetime(2026, 1, 1)),  # noqa: DTZ001 - the point of the case
        lambda: flow("FAILED", "F" * 41),
    ],
)
def test_events_out_of_range_are_refused_whole(database: Database, event: object) -> None:
    run, _ = begun(database)
    with pytest.raises(Invalid):
        send(database, run, 1, line("before"), event())  # type: ignore[operator]
    assert rows(database, "select id from log") == []
    assert run_row(database, run)["last_seq"] == 0


def test_a_report_of_too_many_events_is_refused(database: Database) -> None:
    run, _ = begun(database)
    with pytest.raises(Invalid, match="at most 5000 events"):
        runs.report(database, RUN, run, Report(attempt=1, seq=1, events=[line("x")] * (MAX_EVENTS + 1)))


def test_a_large_batch(database: Database) -> None:
    run, _ = begun(database)
    events = [
        event
        for index in range(1_200)
        for event in (
            task("load-1", "RUNNING", "Running", map_index=index),
            task("load-1", "SUCCESS", "Success", map_index=index),
        )
    ]
    send(database, run, 1, *events[:2_000])
    send(database, run, 2, *events[1_999:])
    assert one(database, "select count(*) as n, sum(version) as v from task_run") == {"n": 1_200, "v": 2_400}
    check_histories(database)


def test_two_reports_at_once_are_stored_once(database: Database) -> None:
    run, _ = begun(database)
    events = [task("extract-1", "RUNNING", "Running"), line("once")]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(database, run, 1, *events).acked, range(8)))
    assert answers == [1] * 8
    assert len(rows(database, "select id from log")) == 1
    check_histories(database)


def test_cancel_races_the_end(database: Database) -> None:
    run, _ = begun(database)
    cancel_run(database, ALICE, run)
    assert send(database, run, 1, flow("SUCCESS", "Success")).cancel is False
    assert run_row(database, run)["state_type"] == "SUCCESS"
