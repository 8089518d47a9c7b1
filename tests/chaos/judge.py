"""The judge of every chaos test: reads a database, a client's journal and the flows' ledger, and says which invariant is broken.

The invariants, by their numbers: histories (I1-I4), one run for a due time (I5), each due time has a run or a recorded skip (I6),
nothing waits without an owner (I7), limits hold (I8), each state change is in the outbox (I9), acknowledged changes are there (I10),
the database is whole (I12), and no attempt did its work twice (I14).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, text
from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.protocol.states import TERMINAL
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from appliance.server.domain.scheduling import DELETED, SKIPPED
from appliance.server.domain.transitions import LIVE
from tests.chaos import oracle
from tests.chaos.journal import entries
from tests.integration.builders import check_usage

PATIENCE = timedelta(seconds=180)
PASSING = ("Mapped", "Looped")
_CANCELLED_BY = {"CANCELLING", "CANCELLED"}


@dataclass
class Verdict:
    """What was looked at, and each broken invariant in a sentence."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def broken(self, invariant: str, what: str) -> None:
        self.counts[f"broken {invariant}"] += 1
        self.violations.append(f"{invariant}: {what}")

    def __str__(self) -> str:
        looked_at = ", ".join(f"{number} {name}" for name, number in sorted(self.counts.items()))
        return "\n".join([f"looked at {looked_at}", *self.violations[:50]])


def judge(db: Database, now: datetime, *, journal: Path | None = None, ledger: Path | None = None) -> Verdict:
    """Every invariant that can be read from outside. `now` is the time at which the system is at rest."""
    verdict = Verdict()
    with db.read() as session:
        runs = {row.id: row for row in _rows(session, "flow_run")}
        histories = _histories(session, "flow_run_state", "flow_run_id")
        _check_histories(verdict, "run", runs, histories)
        tasks = {row.id: row for row in _rows(session, "task_run")}
        task_histories = _histories(session, "task_run_state", "task_run_id")
        _check_histories(verdict, "task run", tasks, task_histories)
        _check_due_times(verdict, session, runs.values())
        _check_owners(verdict, runs.values(), now)
        _check_limits(verdict, session, runs.values())
        _check_outbox(verdict, session, histories)
        if journal is not None:
            _check_journal(verdict, runs, histories, list(entries(journal)), _recorded_keys(session))
        if ledger is not None:
            _check_ledger(verdict, runs, tasks, task_histories, ledger)
        _check_whole(verdict, session)
    try:
        check_usage(db)
    except AssertionError as error:
        verdict.broken("quotas", f"what a project stores is not the sum over its runs and versions: {error}")
    return verdict


def over_limit(db: Database) -> list[str]:
    """The limits that are exceeded at this moment (I8)."""
    verdict = Verdict()
    with db.read() as session:
        runs = [row for row in _rows(session, "flow_run") if row.state_type in LIVE]
        _check_limits(verdict, session, runs)
    return verdict.violations


def _rows(session: Session, name: str) -> list[Any]:
    table: Table = metadata.tables[name]
    return list(session.execute(select(table)))


def _histories(session: Session, name: str, owner: str) -> dict[UUID, list[Any]]:
    table: Table = metadata.tables[name]
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in session.execute(select(table).order_by(table.c[owner], table.c.version)):
        found[row[0]].append(row)
    return found


def _check_histories(verdict: Verdict, noun: str, owners: dict[UUID, Any], histories: dict[UUID, list[Any]]) -> None:
    verdict.counts[f"{noun}s"] += len(owners)
    for id, owner in owners.items():
        history = histories.get(id, [])
        verdict.counts[f"states of {noun}s"] += len(history)
        if not history:
            verdict.broken("I1", f"{noun} {id} has no state")
            continue
        versions = [state.version for state in history]
        if versions != list(range(1, len(versions) + 1)):
            verdict.broken("I2", f"{noun} {id} has the versions {versions}")
        last = history[-1]
        if (owner.version, owner.state_type, owner.state_name) != (last.version, last.type, last.name):
            verdict.broken(
                "I3", f"{noun} {id} is {owner.state_name} {owner.version}, its newest state {last.name} {last.version}"
            )
        for before, after in pairwise(history):
            if after.attempt < before.attempt:
                verdict.broken(
                    "I4", f"{noun} {id} has a state of attempt {after.attempt} after one of attempt {before.attempt}"
                )
            if _is_final(before) and after.attempt == before.attempt and not _by_a_person(after):
                verdict.broken("I4", f"{noun} {id} went from {before.name} to {after.name} in attempt {after.attempt}")


def _is_final(state: Any) -> bool:
    return state.type in TERMINAL and state.name not in PASSING


def _by_a_person(state: Any) -> bool:
    """A restart is recorded under the attempt before, as the wish for another one, and a task may be marked by hand; nothing but
    these may follow an end."""
    restarted = (state.type, state.name) in (("SCHEDULED", "Scheduled"), ("PENDING", "Pending"))
    return state.message.startswith("Marked as") or (restarted and "estarted" in state.message)


def _check_due_times(verdict: Verdict, session: Session, runs: Iterable[Any]) -> None:
    planned: dict[UUID, Counter[datetime]] = defaultdict(Counter)
    for run in runs:
        if run.schedule_id is not None:
            planned[run.schedule_id][run.due_at] += 1
    skips = defaultdict(list)
    for skip in _rows(session, "schedule_skip"):
        skips[skip.schedule_id].append(skip)
    for schedule in _rows(session, "schedule"):
        made = planned[schedule.id]
        for time, number in made.items():
            if number > 1:
                verdict.broken("I5", f"schedule {schedule.id} has {number} runs for {time}")
        since = schedule.created if schedule.version == 1 else schedule.updated
        if not schedule.active or schedule.scheduled_until is None:
            continue
        due = oracle.due_times(schedule.document, since, schedule.scheduled_until)
        skipped = _skipped(verdict, schedule, skips[schedule.id], made)
        verdict.counts["due times"] += len(due)
        verdict.counts["skipped due times"] += len(skipped)
        for time in sorted(set(due) - set(made) - skipped):
            verdict.broken("I6", f"schedule {schedule.id} has neither a run nor a skip for {time}")
        ahead = oracle.due_times(
            schedule.document, schedule.scheduled_until, max(made, default=schedule.scheduled_until)
        )
        for time in sorted(time for time in made if since < time and time not in {*due, *ahead}):
            verdict.broken("I6", f"schedule {schedule.id} has a run for {time}, when it was not due")


def _skipped(verdict: Verdict, schedule: Any, skips: Collection[Any], made: Container[datetime]) -> set[datetime]:
    """The due times that the skip rows stand for: of those in their range, the ones that have no run and that no person has left out."""
    found: set[datetime] = set()
    by_people = {skip.last for skip in skips if skip.code in (DELETED, SKIPPED)}
    for skip in skips:
        if skip.version != schedule.version:
            continue  # its document was another one
        times = oracle.due_times(schedule.document, skip.first - timedelta(seconds=1), skip.last)
        times = [time for time in times if time not in made and (skip.first == skip.last or time not in by_people)]
        if len(times) != skip.count:
            verdict.broken(
                "I6",
                f"a skip of schedule {schedule.id} counts {skip.count} due times without a run instead of {len(times)}",
            )
        if found & set(times):
            verdict.broken("I6", f"schedule {schedule.id} skipped {min(found & set(times))} twice")
        found |= set(times)
    return found


def _check_owners(verdict: Verdict, runs: Iterable[Any], now: datetime) -> None:
    for run in runs:
        if run.state_type in LIVE and (run.lease_expires_at is None or run.lease_expires_at < now - PATIENCE):
            verdict.broken("I7", f"run {run.id} is {run.state_name}, but its lease ended at {run.lease_expires_at}")
        if run.state_type == "SCHEDULED" and run.scheduled_time < now - PATIENCE:
            verdict.broken("I7", f"run {run.id} was due at {run.scheduled_time}, and nobody has taken it")
        if run.state_type in TERMINAL and (run.end_time is None or run.lease_expires_at is not None):
            verdict.broken("I7", f"run {run.id} is {run.state_name} without an end, or with a lease")


def _check_limits(verdict: Verdict, session: Session, runs: Iterable[Any]) -> None:
    used: Counter[tuple[str, str]] = Counter()
    for run in runs:
        if run.state_type in LIVE:
            used["flow", str(run.flow_id)] += 1
            used.update(("label", label) for label in set(run.labels))
    for limit in _rows(session, "concurrency_limit"):
        verdict.counts["limits"] += 1
        if used[limit.kind, limit.name] > limit.slots:
            verdict.broken(
                "I8", f"{used[limit.kind, limit.name]} runs are live under the limit {limit.name!r} of {limit.slots}"
            )


def _check_outbox(verdict: Verdict, session: Session, histories: dict[UUID, list[Any]]) -> None:
    events = metadata.tables["event"]
    statement = select(events.c.object_id, events.c.data).where(events.c.kind == "flow_run.state")
    told = Counter((row.object_id, row.data["version"]) for row in session.execute(statement))
    for id, history in histories.items():
        for state in history:
            if told[id, state.version] != 1:
                verdict.broken("I9", f"state {state.version} of run {id} was announced {told[id, state.version]} times")


def _recorded_keys(session: Session) -> Callable[[str], bool]:
    """Whether a request under this key has been carried out: its key is committed together with its effect."""
    table = metadata.tables["request_key"]
    rows = session.execute(select(table.c.id, table.c.caller)).all()
    found, callers = {row.id for row in rows}, {row.caller for row in rows}
    return lambda key: any(ids.sha256(f"{caller}\n{key}") in found for caller in callers)


def _check_journal(
    verdict: Verdict,
    runs: dict[UUID, Any],
    histories: dict[UUID, list[Any]],
    told: list[dict[str, Any]],
    is_recorded: Callable[[str], bool],
) -> None:
    """An acknowledged creation is there with its key and its parameters. Every other change has left its mark in the history, or changed
    nothing, as when a run was paused by another request that overtook it, and then its key is recorded."""
    verdict.counts["acknowledged"] += len(told)
    of_key: dict[str, set[str]] = defaultdict(set)
    deleted = {entry["run"] for entry in told if entry["op"] == "delete"}
    for entry in told:
        run, history = runs.get(UUID(entry["run"])), histories.get(UUID(entry["run"]), [])
        of_key[entry["key"]].add(entry["run"])
        is_done = run is not None and (
            _is_done(entry, run, history) or (entry["op"] == "change" and is_recorded(entry["key"]))
        )
        if (run is None) != (entry["run"] in deleted) or (run is not None and not is_done):
            verdict.broken(
                "I10", f"{entry['op']} of run {entry['run']} was acknowledged, but is not there ({entry['key']})"
            )
    for key, answers in of_key.items():
        if key and len(answers) > 1:
            verdict.broken("I10", f"the key {key} was answered with {len(answers)} runs")


def _is_done(entry: dict[str, Any], run: Any, history: list[Any]) -> bool:
    if entry["op"] == "create":
        wanted = entry.get("parameters", {})
        return (
            bool(run.idempotency_key == entry["key"]) and {name: run.parameters.get(name) for name in wanted} == wanted
        )
    if entry["op"] == "cancel":
        return any(state.type in _CANCELLED_BY for state in history)
    if entry["op"] == "report":
        return bool(run.attempt > entry["attempt"] or run.last_seq >= entry["seq"])
    return any((state.data or {}).get("idempotency_key") == entry["key"] for state in history)


def _check_ledger(
    verdict: Verdict, runs: dict[UUID, Any], tasks: dict[UUID, Any], histories: dict[UUID, list[Any]], ledger: Path
) -> None:
    """A line is `run attempt task`. No attempt wrote one twice, and each task that says it succeeded has written its own."""
    lines = Counter(_lines(ledger))
    verdict.counts["ledger lines"] += sum(lines.values())
    for (run_id, attempt, slug), number in lines.items():
        run = runs.get(run_id)
        if number > 1:
            verdict.broken("I14", f"attempt {attempt} of run {run_id} did {slug} {number} times")
        if run is None or run.attempt < attempt:
            verdict.broken(
                "I14", f"attempt {attempt} of run {run_id} did {slug}, but the database knows no such attempt"
            )
    kept = {slug for _, _, slug in lines}
    for id, task in tasks.items():
        for state in histories.get(id, []):
            line = (task.flow_run_id, state.attempt, task.task_slug)
            if state.type == "SUCCESS" and task.task_slug in kept and lines[line] == 0:
                verdict.broken(
                    "I14", f"{task.task_slug} of run {task.flow_run_id} says that it succeeded, but never ran"
                )


def _lines(ledger: Path) -> Iterator[tuple[UUID, int, str]]:
    if not ledger.exists():
        return
    for line in ledger.read_text().splitlines():
        run, attempt, slug = line.split()
        yield UUID(run), int(attempt), slug


def _check_whole(verdict: Verdict, session: Session) -> None:
    if session.get_bind().dialect.name == "sqlite":
        for row in session.execute(text("pragma foreign_key_check")):
            verdict.broken("I12", f"a row of {row[0]} refers to one of {row[2]} that is not there")
        for row in session.execute(text("pragma integrity_check")):
            if row[0] != "ok":
                verdict.broken("I12", row[0])
        return
    for table in metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            [column], [key] = constraint.columns, constraint.elements
            other = key.column.table
            lost = select(column).where(column.is_not(None), ~select(key.column).where(key.column == column).exists())
            if table is not other and session.execute(lost.limit(1)).first() is not None:
                verdict.broken("I12", f"a row of {table.name} refers to one of {other.name} that is not there")
