"""Histograms, suggestions, the order of waiting runs, and the table for spreadsheets, against a plain walk over all runs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.protocol.run_filter import RunFilter
from appliance.server.api import run_csv
from appliance.server.db.reads import run_lists, waiting_runs
from appliance.server.db.reads.run_histograms import Histogram, histogram, suggestions
from appliance.server.db.reads.waiting_runs import WaitingRuns
from appliance.server.db.session import Database
from appliance.server.domain.histograms import FEWEST_PARTS, MOST_PARTS, span
from appliance.server.errors import Invalid, UnknownName
from tests.bench.seed import seed
from tests.bench.seed_rows import Sizes
from tests.integration import builders
from tests.integration.server_fixtures import Site
from tests.integration.test_run_lists import NOW, _flow, _run, every_run, session

__all__ = ["session"]


def counted(found: Histogram | None) -> Counter[str]:
    assert found is not None and found.span.parts <= MOST_PARTS
    assert all(0 <= part < found.span.parts for part in found.counts)
    return sum((Counter(numbers) for numbers in found.counts.values()), Counter())


def test_histograms_count_what_the_list_has(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in every_run(session) if row.scheduled_time <= NOW]
    flow = Counter(row.flow for row in rows).most_common(1)[0][0]
    month = max(row.scheduled_time for row in rows) - timedelta(days=30)
    for query, among in (
        ("since:900d", rows),
        ("since:10d", [row for row in rows if row.scheduled_time >= NOW - timedelta(days=10)]),
        ("since:900d state:failed", [row for row in rows if row.state_type == "FAILED"]),
        (f"since:900d flow:{flow}", [row for row in rows if row.flow == flow]),
        (f"since:900d flow:{flow[:3]}* state:failed,success", [row for row in rows if row.flow.startswith(flow[:3]) and row.state_type in ("FAILED", "SUCCESS")]),
    ):  # fmt: skip
        found = histogram(session, RunFilter(q=query), NOW)
        assert counted(found) == Counter(row.state_type for row in among), query
        assert found is not None and found.complete
    recent = counted(histogram(session, RunFilter(), NOW))
    assert recent >= Counter(row.state_type for row in rows if row.scheduled_time >= month)
    assert histogram(session, RunFilter(q="until:2001-01-01"), NOW) is None
    monkeypatch.setattr(run_lists, "WINDOW", 50)
    monkeypatch.setattr(run_lists, "LEAST", 5)
    few = histogram(session, RunFilter(q="since:900d"), NOW)
    assert few is not None and not few.complete and 50 <= counted(few).total() < len(rows)


@pytest.mark.parametrize("days", [0, 0.01, 1, 7, 30, 400, 20_000])
def test_a_span_has_the_first_and_the_last_run(days: float) -> None:
    first, last = NOW - timedelta(days=days), NOW
    chosen = span(first, None, first, last)
    assert chosen.start <= first and chosen.of(chosen.parts - 1) <= last < chosen.of(chosen.parts)
    assert chosen.parts <= MOST_PARTS


def test_runs_of_one_minute_are_a_bar_and_no_wall() -> None:
    chosen = span(None, None, NOW, NOW)
    assert chosen.parts == FEWEST_PARTS
    assert chosen.of(chosen.parts - 1) <= NOW < chosen.of(chosen.parts)
    assert span(NOW, None, NOW, NOW).parts == 1


def test_suggestions_are_values_of_the_list(session: Session) -> None:
    newest = [row for row in every_run(session) if row.scheduled_time <= NOW]
    flows = Counter(row.flow for row in newest)
    found = suggestions(session, RunFilter(), NOW, "flow", "")
    assert (
        dict(found).items()
        <= (flows | Counter(dict.fromkeys(session.execute(select(_flow.c.name)).scalars(), 0))).items()
    )
    assert [number for _, number in found] == sorted((number for _, number in found), reverse=True)
    part = found[0][0][1:4].upper()
    assert all(part in value.upper() for value, _ in suggestions(session, RunFilter(), NOW, "flow", part))
    failed = suggestions(session, RunFilter(q="state:failed"), NOW, "state", "")
    assert sum(number for _, number in failed) == sum(row.state_type == "FAILED" for row in newest)
    assert ("TimedOut", 0) in failed or dict(failed)["TimedOut"] > 0
    assert dict(suggestions(session, RunFilter(), NOW, "label", "nor")) == {
        "north": sum("north" in row.labels for row in newest)
    }
    assert {name for name, _ in suggestions(session, RunFilter(), NOW, "param", "")} == {"region", "none", "n", "rate"}
    assert "true" in dict(suggestions(session, RunFilter(), NOW, "param.n", ""))
    with pytest.raises(UnknownName):
        suggestions(session, RunFilter(), NOW, "since", "")


def test_waiting_runs_come_late_first_then_paused_then_planned(database_url: str) -> None:
    seed(database_url, Sizes(runs=200, task_runs=200, logs=0.0, schedules=10), until=NOW)
    database = Database(database_url)
    with database.write() as session:
        check_the_order_of_waiting_runs(session)
    database.dispose()


def check_the_order_of_waiting_runs(session: Session) -> None:
    rows = [row for row in every_run(session, "scheduled_time") if row.state_type in ("SCHEDULED", "PENDING", "PAUSED")]
    assert len(rows) > 3
    paused = rows[1]
    session.execute(_run.update().where(_run.c.id == paused.id).values(state_type="PAUSED", state_name="Paused"))
    others = [row for row in rows if row.id != paused.id and row.state_type != "PAUSED"]
    kept = [row for row in rows if row.id == paused.id or row.state_type == "PAUSED"]
    due, planned = ([row for row in others if (row.scheduled_time < NOW) == late] for late in (True, False))
    expected = [row.id for row in (*due, *kept, *planned)]
    for limit in (2, 7, 200):
        found: list[Any] = []
        after = None
        for _ in range(200):
            page = WaitingRuns(session, RunFilter(q="state:waiting"), NOW).page(limit, after)
            found, after = [*found, *(row.id for row in page.rows)], page.next
            assert len(page.rows) <= limit
            if after is None:
                break
        assert found == expected
    assert WaitingRuns(session, RunFilter(), NOW).count().total == len(expected)
    assert [row.id for row in WaitingRuns(session, RunFilter(q="state:paused"), NOW).page(9).rows] == [
        one.id for one in kept
    ]
    with pytest.raises(Invalid, match="have not started"):
        waiting_runs.ordered(session, RunFilter(q="state:failed"), NOW, "waiting")


def test_the_table_has_the_runs_of_the_query_and_no_formulas(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = builders.register(site.database, "etl").flow_id
    for number in range(5):
        builders.create(site.database, flow, name=f"=cmd|{number}" if number == 2 else f"run-{number}", labels=["-x"])
    answer = site.get("/api/v1/flow-runs/csv", params={"q": "flow:etl", "sort": "scheduled_time"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert tuple(head) == run_csv.COLUMNS
    assert sorted(row[3] for row in rows) == sorted(["run-0", "run-1", "'=cmd|2", "run-3", "run-4"])
    assert {row[head.index("labels")] for row in rows} == {"'-x"}
    assert datetime.fromisoformat(rows[0][6]).tzinfo == UTC
    monkeypatch.setattr(run_csv, "MOST_ROWS", 3)
    short = list(csv.reader(io.StringIO(site.get("/api/v1/flow-runs/csv").text)))
    assert len(short) == 5 and "narrow the query" in short[-1][0]
    assert site.get("/api/v1/flow-runs/csv", params={"q": "flow:elt"}).status_code == 422
