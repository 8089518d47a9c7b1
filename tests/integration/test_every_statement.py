"""Every statement that the server's reads, its busiest writes and its services send finds its rows by an index: each one is explained, and a
new function that reads is noticed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from litestar.testing import TestClient
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import clock as kit_clock
from appliance.protocol.agents import AgentReport, Exited
from appliance.protocol.automations import Action, CreateAutomation, DryRun, EditAutomation
from appliance.protocol.bundles import AskBundle, PutBundle, TakeBundle
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.results import AskKeptResult, AskResult
from appliance.protocol.saved_views import EditView, SaveView
from appliance.protocol.secrets import AskSecret, PutSecret
from appliance.server.actions import (
    agents,
    artifacts,
    automation_acting,
    automation_history,
    automation_sending,
    automations,
    bundles,
    deliveries,
    kept_results,
    known_failures,
    lost_agents,
    repair,
    saved_views,
    schedules,
    secret_keys,
    secrets,
)
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.app import create_app
from appliance.server.auth.identity import Actor
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db import reads, writes
from appliance.server.db.reads import pages
from appliance.server.db.rows.jobs import JobRow
from appliance.server.db.session import Database
from appliance.server.errors import NotFound
from appliance.server.events.outbox import announce
from appliance.server.events.sending import Outcome
from appliance.server.services.process import services_of
from appliance.server.services.scheduler import Scheduler
from tests.bench import catalogue
from tests.bench.seed import seed
from tests.bench.seed_rows import Sizes
from tests.integration import artifact_requests, builders, result_doors
from tests.integration.row_claims import false_claims
from tests.integration.server_fixtures import add_token

BIG = ("flow_run", "task_run", "flow_run_state", "task_run_state", "log", "event")
UNTIL = datetime(2026, 3, 2, 8, tzinfo=UTC)
SELDOM = {"GROUP BY flow_run.state_type", "order by rowid limit 1000"}
"""What may read a whole index or table: the numbers of runs by state, which a server counts for a hundredth of the time at most, and the
daily search for damaged rows, in steps of a thousand."""

_READS, _WRITES = reads.__name__, writes.__name__
UNEXPLAINED = {
    "run_filters.every",  # these three: a job that does one thing to many runs counts them once and goes through them by id
    "flow_runs.count_all",
    "flow_runs.next_ids",
    "disk.gives_back",  # these two: SQLite's own numbers, not asked of Postgres
    "disk.unused_pages",
    "dispatch.not_begun",  # these two: asked once, at the first start of a restored database
    "schedules.behind",
    "deletions.flow_ids",  # these five: the job that deletes a flow or project, and its preview
    "deletions.has_runs",
    "deletions.live_runs",
    "deletions.numbers",
    "usage.of_versions",
    "tokens.has_token",  # asked when an agent enrols with a new token
    "mapped_flows.exists",  # one flow, by project and name
    "run_health.running",  # runs that are under way now, each of which an agent's slot bounds
}

Sent = dict[str, Any]


@pytest.fixture
def large(database_url: str) -> Iterator[Database]:
    """A database with some of everything, whose newest moment is UNTIL."""
    seed(database_url, Sizes(runs=600, task_runs=6_000, schedules=20), until=UNTIL)
    database = Database(database_url)
    with kit_clock.stopped(lambda: UNTIL):
        yield database
    database.dispose()


@contextmanager
def recorded(database: Database) -> Iterator[Sent]:
    """Each statement that is sent, once, with values of one time."""
    sent: Sent = {}

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: bool) -> None:
        several = many and isinstance(values, list)  # what SQLAlchemy folds into one statement has one set of values
        sent.setdefault(sql, values[0] if several else values)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def scans(connection: Connection, sql: str, values: Any) -> list[str]:
    """The steps that read all of a big table, or all of one of its indexes without an end."""
    if connection.dialect.name == "postgresql":
        plan = [str(row[0]) for row in connection.exec_driver_sql(f"explain {sql}", values)]
        return [step.strip() for step in plan if (found := re.search(r"Seq Scan on (\w+)", step)) and found[1] in BIG]
    names = set(BIG) | {alias for table, alias in re.findall(r"(\w+) AS \"?(\w+)", sql) if table in BIG}
    steps = [str(row[3]) for row in connection.exec_driver_sql(f"explain query plan {sql}", values)]
    whole = [step for step in steps if (found := re.match(r"SCAN (\w+)", step)) and found[1] in names]
    return [step for step in whole if "INDEX" not in step or " LIMIT " not in sql.replace("\n", " ")]


def check(database: Database, sent: Sent) -> None:
    """No statement reads all of a big table."""
    wrong = {}
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            connection.exec_driver_sql(
                "set enable_seqscan = off"
            )  # a small table is read faster whole: ask whether it must be
        for sql, values in sent.items():
            verb = sql.lstrip().partition(" ")[0].upper()
            if any(part in sql for part in SELDOM):
                continue
            if verb in ("SELECT", "UPDATE", "DELETE", "WITH", "INSERT") and (found := scans(connection, sql, values)):
                wrong[sql] = found
    assert wrong == {}


def ask_for_everything(large: Database, headers: dict[str, str], asks: list[catalogue.Ask]) -> None:
    with TestClient(create_app(Settings(), large)) as client:
        for ask in asks:
            ask.send(client, headers)


def write_much(large: Database) -> None:
    run, agent = builders.begun(large)
    tasks = [builders.task("extract-1", *state) for state in (("RUNNING", "Running"), ("SUCCESS", "Success"))]
    builders.send(large, run, 1, tasks[0], builders.line("hello"))
    builders.send(large, run, 2, *[builders.task("load-1", "RUNNING", "Running", map_index=n) for n in range(9)])
    builders.send(large, run, 2)
    builders.send(large, run, 3, tasks[1], builders.flow("SUCCESS", "Success"))
    flow = builders.register(large, "planned")
    schedules.create(large, builders.ALICE, flow.flow_id, builders.MINUTELY)
    Scheduler(large).run_once(UNTIL + timedelta(minutes=3))
    other = builders.create(large, flow.flow_id, idempotency_key="once")
    cancel_run(large, builders.ALICE, other)
    work = builders.claim(large, agent, 5, labels=[], holding=[])
    exits = [Exited(flow_run_id=one.flow_run_id, attempt=one.attempt, code=1) for one in work]
    exits.append(Exited(flow_run_id=run, attempt=1, code=0, cpu_seconds=1.5, peak_memory=2**30))
    agents.report(large, builders.AGENT, agent, AgentReport(exited=exits))
    late = UNTIL + timedelta(hours=1)
    for silent in repair.silent_runs(large, late, 20):
        repair.fix_silent(large, silent, now=late)


def do_all_rounds(large: Database) -> None:
    everything = services_of(Settings(database_url=large.url), large)
    for moment in (UNTIL, UNTIL + timedelta(minutes=3), UNTIL + timedelta(hours=2)):
        with kit_clock.stopped(lambda moment=moment: moment):  # type: ignore[misc]
            for service in everything:
                service.run_once(moment)


def read_on_behalf_of_others(large: Database) -> None:
    """What runs, streams, jobs and services ask when there is something for them."""
    with large.read() as session:
        run, flow, schedule = session.execute(
            text(
                "select id, flow_id, schedule_id from flow_run where schedule_id is not null order by scheduled_time LIMIT 1"
            )
        ).one()
        run, flow, schedule = (UUID(str(each)) for each in (run, flow, schedule))
        reads.flow_runs.token_of(session, run)
        reads.flow_runs.by_ids(session, [run])
        reads.events.after(session, 10, 100)
        reads.hold.overdue(session, UNTIL)
        reads.backfills.times_with_runs(session, flow, schedule, "", UNTIL - timedelta(days=9), UNTIL)
        reads.backfills.times_with_runs(session, flow, None, "backfill", UNTIL - timedelta(days=9), UNTIL)
        reads.backfills.unfinished(session, flow, "backfill")
        reads.schedules.with_planned(session, UNTIL - timedelta(days=9), UNTIL)
        reads.schedules.due_times_with_runs(session, schedule, UNTIL - timedelta(days=9), UNTIL)
        reads.schedules.skipped_beyond(session, UNTIL)
        reads.schedules.run_at(session, schedule, UNTIL)
        reads.schedules.planned_runs(session, schedule, UNTIL)
        reads.outages.find(session, UNTIL)
        reads.outages.unserved(session, UNTIL)
        for get in (reads.jobs.get, reads.tokens.get, reads.users.get):
            get(session, run)
        reads.sessions.of_user(session, run, UNTIL)
        for find in (reads.sessions.by_hash, reads.users.by_username, reads.request_keys.get):
            find(session, "x")
        reads.mapped_flows.find(session, None, "default", "x")
        reads.former_names.flow_renamed_from(session, flow, "x")
        reads.former_names.project_renamed_from(session, "x")
        reads.flows.version(session, flow, 1)
        reads.removed_runs.among(session, [run, flow])
        reads.deletions.runs(session, [flow])
        reads.deletions.to_cancel(session, flow, 50)
        read_for_changes(session, run)


def read_for_changes(session: Session, run: UUID) -> None:
    """What changes of runs and their tasks ask, and the grants of slots."""
    reads.flow_runs.attempt_state(session, run)
    reads.run_health.has_lease_after(session, UNTIL)
    reads.run_health.stuck(session, UNTIL, UNTIL, 20)
    for most, after in ((None, ""), (10**6, ""), (10**6, pages.encode(3, "load-1"))):
        reads.task_runs.of_flow_run(session, run, most, after)
    for ask in (reads.task_runs.types_of, reads.task_runs.with_times):
        ask(session, run)
    reads.task_runs.find(session, run, "load", 1)
    reads.task_runs.paused(session, run, "load", 1)
    reads.dispatch.live(session)
    reads.run_filter_names.like_flow(session, "demo", "etl")
    reads.concurrency.tag_limits(session, ["db"])
    reads.concurrency.used_by_others(session, [run], run, "load", 1)
    reads.concurrency.longest_holders(session, run, run, "load", 1, 3)
    reads.concurrency.any_stale_slot(session)
    reads.concurrency.holds(session, [run], run, "load", 1, 1)
    reads.concurrency.nth_newest_start(session, run, UNTIL, UNTIL, 3)
    reads.concurrency.starts(session, run, UNTIL, UNTIL, 50)
    reads.child_runs.of_task(session, run, "load", 1)
    reads.child_runs.of_run(session, run, run)
    reads.child_runs.results(session, run, "load-1", -1)
    reads.child_runs.of_tasks(session, [(run, "load-1", 1)])
    for of_many in (reads.child_runs.names, reads.child_runs.counts):
        of_many(session, [run])
    reads.child_runs.starter(session, run)
    reads.child_runs.context_of(session, run)
    reads.child_runs.ancestors(session, run, 3)
    for look in (reads.child_runs.ended, reads.child_runs.awaited, reads.child_runs.any_live):
        look(session, run)


@contextmanager
def calls_watched() -> Iterator[tuple[set[str], set[str]]]:
    """The functions of `db.reads` that are called, in this thread or in one that starts meanwhile, and the columns that functions of
    `db` claim falsely of their rows."""
    called: set[str] = set()
    wrong: set[str] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(_READS):
            called.add(f"{module[len(_READS) + 1 :]}.{frame.f_code.co_name}")
        elif event == "return" and module.startswith((_READS, _WRITES)):
            wrong.update(false_claims(frame, argument))

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called, wrong
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def every_read() -> set[str]:
    """The public functions of `db.reads` that send something."""
    found = set()
    for module in pkgutil.iter_modules(reads.__path__):
        loaded = importlib.import_module(f"{_READS}.{module.name}")
        for name, value in vars(loaded).items():
            own = inspect.isfunction(value) and value.__module__ == loaded.__name__ and not name.startswith("_")
            if own and "session" in inspect.signature(value).parameters:
                found.add(f"{module.name}.{name}")
    return found


def keep_secrets(large: Database, folder: Path) -> None:
    """A secret is set, read by a run, listed, and sealed with another key."""
    keys = SecretKeys(folder / "secrets.key")
    request = PutSecret(project="secretive", name="TOKEN", secret_value="a value")
    with large.read() as session:
        assert reads.secrets.one(session, secrets.put(large, builders.ALICE, keys, request)) is not None
    run, _agent = builders.begun(large, project="secretive", secrets=["TOKEN"])
    secrets.reveal(large, keys, run, AskSecret(attempt=1, name="TOKEN"))
    secret_keys.rotate(large, keys)


def keep_bundles(large: Database) -> None:
    """A bundle is stored, asked for, named by a version, taken by a run, listed, counted, and removed."""
    digest = "d" * 64
    request = PutBundle(project="bundled", digest=digest, sha256=sha256(b"").hexdigest(), content=b"")
    bundles.put(large, builders.ALICE, request)
    assert bundles.ask(large, builders.ALICE, AskBundle(project="bundled", digest=digest)).stored
    storage = {"type": "bundle", "path": "etl.py", "flow": "etl", "sha256": digest, "digest": digest}
    run, _agent = builders.begun(large, project="bundled", storage=storage)
    assert bundles.take(large, run, TakeBundle(attempt=1)).content == b""
    with large.read() as session:
        assert reads.bundles.totals(session) == (1, 0)
        first = reads.bundles.page(session, 1, None)
        (flow,) = reads.bundles.flows(session, [first.rows[0].id])[first.rows[0].id]
        assert (flow.flow, flow.total) == ("etl", 1)
        assert reads.bundles.page(session, 1, pages.encode(first.rows[0].id)).rows == []
    assert bundles.remove_unnamed(large, UNTIL + timedelta(days=1)) == 0


def keep_results(large: Database) -> None:
    """Results are stored by a run, found, and read by it and by a person."""
    work = result_doors.begun(large, project="keeping")
    for location in (f"{work.flow_run_id}/own", "shared"):
        for content in (b"x", b"y"):
            result_doors.stored(large, work, location, content, replace=True)
        ask = AskResult(attempt=1, location=location)
        assert kept_results.find(large, work.flow_run_id, ask).exists
        assert kept_results.read(large, work.flow_run_id, ask).content == b"y"
        for project in ("keeping", None):
            request = AskKeptResult(location=location, project=project)
            assert kept_results.read_as_person(large, request).content == b"y"


def make_artifacts(large: Database) -> None:
    """Artifacts are made by runs, replaced, superseded, listed, read, and removed, and their keys are forgotten."""
    first, second = (result_doors.begun(large, project="showing") for _ in range(2))
    for content in (b"x", b"y"):
        artifact_requests.made(large, first, content, number=ord(content), key="report", retention="latest")
    builders.send(large, first.flow_run_id, 1, builders.flow("SUCCESS", "Success"))
    delete_run(large, builders.ALICE, first.flow_run_id)
    made = artifact_requests.made(large, second, key="report")
    flow_id = UUID(str(builders.one(large, "select flow_id from artifact")["flow_id"]))
    with large.read() as session:
        assert artifacts.one(session, made.id).version == 2
        assert artifacts.content(session, made.id).content == b"x"
        for criteria in ({"project": "showing"}, {"flow_id": flow_id}, {"flow_run_id": second.flow_run_id}, {}):
            for after, number in ((None, 1), (pages.encode(made.id), 0)):
                page = reads.artifacts.page(session, reads.artifacts.Criteria(**criteria), 1, after)
                assert len(page.rows) == number
        for after in (None, pages.encode(3)):
            assert len(reads.artifacts.versions(session, "showing", "report", 1, after).rows) == 1
        for project, prefix in (("showing", "re"), (None, None)):
            for after in (None, pages.encode(UNTIL, made.id)):
                assert len(reads.artifacts.latest(session, project, prefix, 1, after).rows) == 1
    artifacts.remove(large, builders.ALICE, made.id)


def know_failures(large: Database) -> None:
    """A failure is marked as known, happens again, is resolved by a success, and listed; then it can't be unmarked."""
    for seen in range(3):
        run, _agent = builders.begun(large, project="failing")
        end = builders.flow("FAILED", "Failed") if seen < 2 else builders.flow("SUCCESS", "Success")
        builders.send(large, run, 1, end)
        if seen < 2:
            known = known_failures.mark(large, builders.ALICE, MarkFailure(flow_run_id=run))
    with large.read() as session:
        assert reads.known_failures.one(session, known) is not None
        first = reads.known_failures.page(session, 1, None, "failing", resolved=True)
        assert [row.id for row in first.rows] == [known]
        assert reads.known_failures.page(session, 1, pages.encode(known)).rows == []
    with pytest.raises(NotFound):
        known_failures.unmark(large, builders.ALICE, known)


def hear_of_failures(large: Database) -> None:
    """Automations of each kind of event are compared with events, and what they send is listed, marked, sent again, and swept."""
    action = Action(kind="webhook", url="https://hooks.example.org/")
    conditions = (
        {"events": ["run.failed"], "q": "project:failing", "at_most": 1, "unless_known": True},
        {"events": ["schedule.skipped"], "q": "project:failing"},
        {"events": ["agent.lost"], "q": "agent:* label:none"},
    )
    with large.read() as session:
        user = reads.users.by_username(session, "bench")
    assert user is not None
    bench = Actor(kind="user", name="bench", role="admin", user_id=user.id)
    start = Action(kind="start", flow="failing/etl", parameters={})
    ids = [
        automations.create(large, builders.ALICE, CreateAutomation(name=f"{number}", action=action, **condition))
        for number, condition in enumerate(conditions)
    ]
    run, _agent = builders.begun(large, project="failing")
    acting = CreateAutomation(name="acting", events=["run.failed"], q="project:failing", action=start, at_most=1)
    ids.append(automations.create(large, bench, acting))
    builders.send(large, run, 1, builders.flow("FAILED", "Failed"))
    with large.write() as session:
        for topic, kind in (("schedule", "schedule.missed"), ("agent", "agent.lost")):
            announce(session, topic, uuid4(), kind, {}, builders.ALICE, kit_clock.now())
    deliveries.follow(large, deliveries.Follower(), kit_clock.now())
    [due] = [one for one in deliveries.due(large, kit_clock.now(), 10) if one.automation_id == ids[0]]
    deliveries.mark(large, due, Outcome(False, "", "", "no"), now=kit_clock.now())
    deliveries.send_again(large, builders.ALICE, due.id)
    automations.edit(large, builders.ALICE, ids[0], EditAutomation(name="failures"))
    [to_do] = [one for one in deliveries.due(large, kit_clock.now(), 10) if one.automation_id == ids[-1]]
    assert automation_acting.act(large, to_do, now=kit_clock.now()).ok
    with large.read() as session:
        acted = reads.automations.delivery(session, to_do.id)
    assert acted is not None
    cancel_run(large, builders.ALICE, UUID(acted.message["started"]))
    automation_sending.test(large, bench, Settings(), ids[-1])
    automation_history.dry_run(large, DryRun(events=["run.failed"]))
    lost_agents.note(large, kit_clock.now())
    with large.read() as session:
        assert len(automations.every(session, builders.ALICE)) == 4
        assert automations.one(session, ids[0], builders.ALICE).pending == 1
        for state, after in ((None, None), ("sent", None), (None, pages.encode(kit_clock.now(), due.id))):
            reads.automations.deliveries(session, ids[0], state, 5, after)
        assert reads.automations.delivery(session, due.id) is not None
    deliveries.settle_restored(large, "2026-01-01", kit_clock.now())
    for id in ids:
        automations.delete(large, builders.ALICE, id)


def keep_views(large: Database) -> None:
    """A view is saved, replaced, renamed, and deleted."""
    with large.read() as session:
        user = reads.users.by_username(session, "bench")
    assert user is not None
    owner = Actor(kind="user", name="bench", user_id=user.id)
    for default in (None, True):
        view = saved_views.save(large, owner, SaveView(name="failed", q="state:failed", default=default))
    saved_views.edit(large, owner, view, EditView(name="late"))
    with large.read() as session:
        assert [row.id for row in reads.saved_views.of_user(session, user.id)] == [view]
    saved_views.delete(large, owner, view)


def test_every_statement(large: Database, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {add_token(large, 'bench')}"}
    with large.read() as session:
        asks = catalogue.asks(catalogue.facts(session))
    with recorded(large) as sent, calls_watched() as (called, wrong):
        keep_secrets(large, tmp_path)
        keep_bundles(large)
        keep_results(large)
        make_artifacts(large)
        know_failures(large)
        keep_views(large)
        hear_of_failures(large)
        ask_for_everything(large, headers, asks)
        write_much(large)
        do_all_rounds(large)
        read_on_behalf_of_others(large)
    assert len(sent) > 100
    assert not wrong, "the type that a function gives its rows has columns that they don't have"
    check(large, sent)
    assert every_read() - called <= UNEXPLAINED, "ask for a new read in tests/bench/catalogue.py, or say here why not"


def test_it_can_tell(large: Database) -> None:
    sent: Sent = {
        "select count(*) from task_run where name = 'x'": (),
        "select id from flow_run where created_by = 'x'": (),
    }
    with pytest.raises(AssertionError, match="created_by"):
        check(large, sent)


def test_it_can_tell_a_false_claim(large: Database) -> None:
    def get(session: Session) -> JobRow | None:
        return cast(
            JobRow | None, session.execute(text("select id, state_name as state from flow_run limit 1")).one_or_none()
        )

    with large.read() as session:
        answer = get(session)
    frame = SimpleNamespace(f_code=get.__code__, f_globals={"__name__": "x", "get": get})
    assert "x.get: progress" in false_claims(cast(FrameType, frame), answer)
    assert "x.get: state" not in false_claims(cast(FrameType, frame), answer)
