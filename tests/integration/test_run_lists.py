"""Pages and counts of flow runs against a plain walk over all runs: nothing is left out and nothing comes twice, in windows of any size."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.db.reads import run_lists
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests.bench.seed import seed
from tests.bench.seed_rows import Sizes

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
_run, _flow, _project = (metadata.tables[name] for name in ("flow_run", "flow", "project"))


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    seed(database_url, Sizes(runs=500, task_runs=500, logs=0.0, schedules=10), until=NOW)
    database = Database(database_url)
    with database.read() as opened:
        yield opened
    database.dispose()


def every_run(session: Session) -> list[Any]:
    query = _run.select().add_columns(_flow.c.name.label("flow"), _project.c.name.label("project"))
    rows = session.execute(query.join(_flow, _flow.c.id == _run.c.flow_id).join(_project)).all()
    return sorted(rows, key=lambda row: (row.scheduled_time, row.id), reverse=True)


def matches(row: Any, wanted: RunFilter) -> bool:
    free = wanted.include_future or wanted.state_types or wanted.state_names
    return all(
        (
            not wanted.state_types or row.state_type in wanted.state_types,
            not wanted.state_names or row.state_name in wanted.state_names,
            wanted.flow_id in (None, row.flow_id),
            wanted.flow in (None, row.flow),
            wanted.project in (None, row.project),
            wanted.name in (None, row.name),
            wanted.text is None or wanted.text in row.name or wanted.text in row.flow,
            wanted.since is None or row.scheduled_time >= wanted.since,
            wanted.until is None or row.scheduled_time < wanted.until,
            free or row.state_type != "SCHEDULED" or row.scheduled_time <= NOW or row.attempt > 0,
        )
    )


def any_filter(dice: random.Random, rows: list[Any]) -> RunFilter:
    row, other = dice.choice(rows), dice.choice(rows)
    choices: dict[str, Any] = {
        "types": [row.state_type, other.state_type],
        "names": dice.choice([[row.state_name], [other.state_name, "TimedOut"], ["TimedOut"]]),
        "flow_id": row.flow_id,
        "flow": row.flow,
        "project": dice.choice([row.project, other.project, "none"]),
        "name": dice.choice([row.name, other.name, row.name[:2]]),
        "text": dice.choice([row.name[:2], row.flow[:4], "zzz"]),
        "since": NOW - timedelta(days=dice.randrange(180)),
        "until": NOW - timedelta(days=dice.randrange(90)),
        "include_future": True,
    }
    chosen = {key: choices[key] for key in dice.sample(sorted(choices), dice.randrange(4))}
    return RunFilter(states=chosen.pop("types", []) + chosen.pop("names", []), **chosen)


def all_pages(session: Session, wanted: RunFilter, limit: int) -> list[Any]:
    found: list[Any] = []
    after = None
    for _ in range(2_000):
        page = run_lists.page(session, wanted, limit, after, NOW)
        assert len(page.rows) <= limit
        found += [row.id for row in page.rows]
        after = page.next
        if after is None:
            return found
    raise AssertionError(f"the pages of {wanted} have no end")


@pytest.mark.parametrize("window", [40, 50_000])
def test_pages_and_counts_say_what_a_walk_over_all_runs_says(
    session: Session, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lists, "WINDOW", window)
    monkeypatch.setattr(run_lists, "LEAST", 20)
    rows, dice = every_run(session), random.Random(7)
    for _ in range(60):
        wanted = any_filter(dice, rows)
        expected = [row.id for row in rows if matches(row, wanted)]
        assert all_pages(session, wanted, dice.choice([3, 25, 200])) == expected, wanted
        count = run_lists.count(session, wanted, NOW)
        assert count.total == len(expected) or (count.capped and count.total < len(expected)), wanted
        if window > len(rows):
            assert not count.capped


def test_counting_ends_at_the_cap(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lists, "COUNT_CAP", 30)
    assert run_lists.count(session, RunFilter(), NOW) == run_lists.Count(30, True)
    assert run_lists.count(session, RunFilter(states=["SUCCESS", "FAILED"]), NOW) == run_lists.Count(30, True)
