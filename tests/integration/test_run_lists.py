"""Pages and counts of flow runs against a plain walk over all runs: nothing is left out and nothing comes twice, in windows of any size."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RUN_SORTS, RunFilter, RunSort
from appliance.server.db.reads import flow_runs, run_lists, run_names
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.errors import Invalid, UnknownName
from tests.bench.seed import seed
from tests.bench.seed_rows import Sizes

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    seed(database_url, Sizes(runs=500, task_runs=500, logs=0.0, schedules=10), until=NOW)
    give_labels_and_parameters(database_url)
    database = Database(database_url)
    with database.read() as opened:
        yield opened
    database.dispose()


def every_run(session: Session, sort: str = "-scheduled_time") -> list[Any]:
    """All runs that have the time that they are sorted by."""
    time = sort.removeprefix("-")
    query = _run.select().add_columns(_flow.c.name.label("flow"), _project.c.name.label("project"))
    rows = session.execute(query.join(_flow, _flow.c.id == _run.c.flow_id).join(_project)).all()
    timed = [row for row in rows if getattr(row, time) is not None]
    return sorted(timed, key=lambda row: (getattr(row, time), row.id), reverse=sort.startswith("-"))


def matches(row: Any, wanted: RunFilter) -> bool:
    free = wanted.include_future or wanted.state_types or wanted.state_names
    return all(
        (
            not wanted.state_types or row.state_type in wanted.state_types,
            not wanted.state_names or row.state_name in wanted.state_names,
            wanted.flow_id in (None, row.flow_id),
            wanted.flow in (None, row.flow, f"{row.project}/{row.flow}"),
            wanted.name in (None, row.name),
            set(wanted.labels) <= set(row.labels),
            all(same(row.parameters.get(name, ...), value) for name, value in wanted.parameters.items()),
            wanted.longer_than is None or (row.start_time and seconds(row) > wanted.longer_than),
            wanted.shorter_than is None or (row.start_time and seconds(row) < wanted.shorter_than),
            wanted.project in (None, row.project),
            wanted.text is None or wanted.text in row.name or wanted.text in row.flow,
            wanted.since is None or row.scheduled_time >= wanted.since,
            wanted.until is None or row.scheduled_time < wanted.until,
            free or row.state_type != "SCHEDULED" or row.scheduled_time <= NOW or row.attempt > 0,
        )
    )


def seconds(row: Any) -> float:
    return round(((row.end_time or NOW) - row.start_time).total_seconds(), 3)


def same(value: Any, other: Any) -> bool:
    """Equality as in JSON, where true is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def any_filter(dice: random.Random, rows: list[Any]) -> RunFilter:
    row, other = dice.choice(rows), dice.choice(rows)
    choices: dict[str, Any] = {
        "types": [row.state_type, other.state_type],
        "names": dice.choice([[row.state_name], [other.state_name, "TimedOut"], ["TimedOut"]]),
        "flow_id": row.flow_id,
        "flow": dice.choice([row.flow, f"{row.project}/{row.flow}"]),
        "project": row.project,
        "name": row.name,
        "labels": dice.choice([["gpu"], ["gpu", "north"], ["north"]]),
        "parameters": dice.choice(
            [{"region": "eu"}, {"n": 1}, {"n": True}, {"region": "eu", "none": None}, {"rate": 0.5}]
        ),
        "longer_than": dice.choice([0.0, 30.0, 600.0]),
        "shorter_than": dice.choice([60.0, 900.0]),
        "text": dice.choice([row.name[:2], row.flow[:4], "zzz", row.name, row.name[:6], row.name[5:9], row.flow]),
        "since": NOW - timedelta(days=dice.randrange(180)),
        "until": NOW - timedelta(days=dice.randrange(90)),
        "include_future": True,
    }
    chosen = {key: choices[key] for key in dice.sample(sorted(choices), dice.randrange(4))}
    if "flow" in chosen and "project" in chosen:
        chosen["project"] = row.project
    return RunFilter(states=chosen.pop("types", []) + chosen.pop("names", []), **chosen)


def give_labels_and_parameters(url: str) -> None:
    """Some runs get labels, and some parameters of every kind."""
    labels = [["gpu"], ["north", "gpu"], [], ["south"]]
    parameters = [
        {"region": "eu"},
        {"region": "eu", "none": None},
        {"n": 1},
        {"n": 1.0},
        {"n": True},
        {"rate": 0.5},
        {"n": "1"},
        {},
    ]
    database = Database(url)
    with database.write() as session:
        for number, run in enumerate(session.execute(_run.select().with_only_columns(_run.c.id)).scalars().all()):
            values = {"labels": labels[number % len(labels)], "parameters": parameters[number % len(parameters)]}
            session.execute(_run.update().where(_run.c.id == run).values(**values))
    database.dispose()


def all_pages(session: Session, wanted: RunFilter, limit: int, sort: RunSort = "-scheduled_time") -> list[Any]:
    found: list[Any] = []
    after = None
    for _ in range(2_000):
        page = run_lists.page(session, wanted, limit, after, NOW, sort)
        assert len(page.rows) <= limit
        found += [row.id for row in page.rows]
        after = page.next
        if after is None:
            return found
    raise AssertionError(f"the pages of {wanted} have no end")


@pytest.mark.diagonal
@pytest.mark.parametrize(("window", "most"), [(40, 500), (50_000, 3), (50_000, 500)])
def test_pages_and_counts_say_what_a_walk_over_all_runs_says(
    session: Session, window: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_names, "MOST", most)
    monkeypatch.setattr(run_lists, "WINDOW", window)
    monkeypatch.setattr(run_lists, "TEXT_WINDOW", window)
    monkeypatch.setattr(run_lists, "ROW_WINDOW", window)
    monkeypatch.setattr(run_lists, "LEAST", 20)
    monkeypatch.setattr(run_lists, "TEXT_LEAST", 20)
    monkeypatch.setattr(run_lists, "ROW_LEAST", 15)
    dice = random.Random(7)
    lists = {sort: every_run(session, sort) for sort in RUN_SORTS}
    for number in range(40):
        sort = RUN_SORTS[0] if number % 2 else dice.choice(RUN_SORTS)
        wanted = any_filter(dice, lists["-scheduled_time"])
        if wanted.since and wanted.until and wanted.since >= wanted.until:
            continue
        expected = [row.id for row in lists[sort] if matches(row, wanted)]
        try:
            assert all_pages(session, wanted, dice.choice([9, 25, 200]), sort) == expected, (wanted, sort)
        except UnknownName:  # no flow has the parameter, and no run of the flow
            assert expected == [] and wanted.parameters
        count = run_lists.count(session, wanted, NOW, sort)
        assert count.total == len(expected) or (count.capped and count.total < len(expected)), (wanted, sort)
        if window > len(lists["-scheduled_time"]):
            assert not count.capped


def test_runs_planned_for_later_are_left_out_up_to_the_last_that_is_shown(database_url: str) -> None:
    seed(database_url, Sizes(runs=500, task_runs=500, logs=0.0, schedules=10), until=NOW)
    database = Database(database_url)
    with database.write() as session:
        check_what_is_shown(session)
    database.dispose()


def check_what_is_shown(session: Session) -> None:
    planned = [row for row in every_run(session) if row.scheduled_time > NOW]
    assert len(planned) > 3 and {row.state_type for row in planned} == {"SCHEDULED"}
    due = [row.id for row in every_run(session) if row.scheduled_time <= NOW]
    assert all_pages(session, RunFilter(), 200) == due
    waits, cancelled = planned[len(planned) // 2], planned[0]
    session.execute(_run.update().where(_run.c.id == waits.id).values(attempt=1))
    assert all_pages(session, RunFilter(), 200) == [waits.id, *due]
    session.execute(_run.update().where(_run.c.id == cancelled.id).values(state_type="CANCELLED"))
    for wanted, expected in (
        (RunFilter(), [cancelled.id, waits.id, *due]),
        (RunFilter(since=NOW + timedelta(seconds=1)), [cancelled.id, waits.id]),
        (RunFilter(until=cancelled.scheduled_time), [waits.id, *due]),
        (
            RunFilter(flow_id=waits.flow_id, since=NOW + timedelta(seconds=1), until=cancelled.scheduled_time),
            [waits.id],
        ),
    ):
        assert all_pages(session, wanted, 200) == expected
        assert run_lists.count(session, wanted, NOW) == run_lists.Count(len(expected), False)


def test_the_few_runs_that_are_running_are_found_in_every_order(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lists, "ROW_WINDOW", 30)  # fewer than have ended before the first of them began
    monkeypatch.setattr(run_lists, "ROW_LEAST", 15)
    wanted = RunFilter(states=["RUNNING", "Running"])
    for sort in RUN_SORTS[:4]:
        running = [row.id for row in every_run(session, sort) if row.state_type == "RUNNING"]
        page = run_lists.page(session, wanted, 9, None, NOW, sort)
        assert len(running) == 25 and [row.id for row in page.rows] == running[:9]
        assert run_lists.count(session, wanted, NOW, sort) == run_lists.Count(25, False)


def test_a_cursor_continues_its_own_order_only(session: Session) -> None:
    first = run_lists.page(session, RunFilter(), 5, None, NOW, "end_time")
    for other in ("-end_time", "start_time", "-scheduled_time"):
        with pytest.raises(Invalid, match="page cursor is not valid here"):
            run_lists.page(session, RunFilter(), 5, first.next, NOW, other)  # type: ignore[arg-type]


def test_counting_ends_at_the_cap(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lists, "COUNT_CAP", 30)
    assert run_lists.count(session, RunFilter(), NOW) == run_lists.Count(30, True)
    assert run_lists.count(session, RunFilter(states=["SUCCESS", "FAILED"]), NOW) == run_lists.Count(30, True)


@pytest.mark.parametrize("most", [1, 7, 50])
def test_the_newest_runs_of_many_flows(session: Session, most: int) -> None:
    shown = [
        run for run in every_run(session) if run.state_type != "SCHEDULED" or run.scheduled_time <= NOW or run.attempt
    ]
    flows = {run.flow_id for run in shown}
    expected = {flow: [run.id for run in shown if run.flow_id == flow][:most] for flow in flows}
    asked = [*flows, *(uuid4() for _ in range(130 - len(flows)))]
    brief = flow_runs.recent_summaries_of_flows(session, asked, most, NOW)
    assert {flow: [run.id for run in runs] for flow, runs in brief.items()} == expected
    strips = flow_runs.strips_of_flows(session, asked, most, NOW)
    assert {flow: [run.id for run in runs] for flow, runs in strips.items()} == expected
    whole = flow_runs.recent_of_flows(session, asked, most, NOW)
    assert {flow: [run.id for run in runs] for flow, runs in whole.items()} == expected
