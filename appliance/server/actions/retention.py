"""Deleting what is older or larger than the settings allow: many small transactions with pauses, so that others get their turn."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.db.reads import disk
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.reads.rollups import POSITION
from appliance.server.db.session import Database
from appliance.server.db.writes import artifacts, automations, kept_results, settings
from appliance.server.db.writes import retention as writes
from appliance.server.domain import retention as rules
from appliance.server.domain.retention import Keep

_FIRST_BATCH = 200
_UNFINISHED = "retention.run"
_SLACK_PAGES = 4_096
"""How many unused pages may stay inside SQLite's file: they are reused at once."""

Step = Callable[[Session, int], tuple[int, bool]]
"""Deletes up to a number of rows; how many it deleted, and whether there may be more."""


def keep_of(settings: Settings) -> Keep:
    """What the settings keep."""
    return Keep(
        runs_days=settings.retention_runs_days,
        logs_days=settings.retention_logs_days,
        events_days=settings.retention_events_days,
        rollups_days=settings.retention_rollups_days,
        runs_bytes=settings.retention_runs_bytes,
        logs_bytes=settings.retention_logs_bytes,
        events_bytes=settings.retention_events_bytes,
    )


@dataclass
class Sweep:
    """One sweep over all classes, of at most `seconds`. Every transaction is followed by a pause as long as itself."""

    db: Database
    keep: Keep
    now: datetime
    seconds: float = 10.0
    essential: bool = False
    pause: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    deleted: Counter[str] = field(default_factory=Counter)
    _batch: int = _FIRST_BATCH
    _half: bool = False  # the current run is only partly deleted

    def run(self) -> Counter[str]:
        """Delete what has expired, class by class, each within its share of the time; how many rows of each."""
        chores = (self._logs, self._events, self._runs, self._small, self._pages)
        end = clock.monotonic() + self.seconds
        for place, chore in enumerate(chores):
            left = end - clock.monotonic()
            chore(clock.monotonic() + left / (len(chores) - place))
        return self.deleted

    def _logs(self, until: float) -> None:
        self._by_number("log", "logs", self.keep.logs_days, self.keep.logs_bytes, until)

    def _events(self, until: float) -> None:
        """Events that the totals don't include yet, events that a stream may resume from, and the newest one stay: ids must not restart."""
        with self.db.read() as session:
            counted = POSITION.find(session) or 0
        self._by_number("event", "events", self.keep.events_days, self.keep.events_bytes, until, counted)

    def _runs(self, until: float) -> None:
        self._work("", self._finish_run, until)
        before = rules.cutoff(self.keep.runs_days, self.now)
        if before is not None:
            self._work("", lambda session, limit: self._some_runs(session, limit, before), until)
        if self.keep.runs_bytes > 0 and self.db.dialect == "sqlite":
            self._work("", self._runs_too_many(), until)

    def _small(self, until: float) -> None:
        self._by_number("schedule_skip", "skips", self.keep.runs_days, 0, until)
        runs = rules.cutoff(self.keep.runs_days, self.now)
        if runs is not None:
            self._work(
                "known_failures", lambda session, limit: _all(writes.known_failures(session, runs, limit), limit), until
            )
        events, rollups = rules.cutoff(self.keep.events_days, self.now), rules.cutoff(self.keep.rollups_days, self.now)
        if events is not None:
            self._work("jobs", lambda session, limit: _all(writes.jobs(session, events, limit), limit), until)
            self._work(
                "deliveries", lambda session, limit: _all(automations.remove_old(session, events, limit), limit), until
            )
            self._work("agents", lambda session, limit: _all(writes.agents(session, events, limit), limit), until)
            self._work("tokens", lambda session, limit: _all(writes.tokens(session, events, limit), limit), until)
        if rollups is not None:
            self._work("rollups", lambda session, limit: _all(writes.rollups(session, rollups, limit), limit), until)
        keys = rules.keys_cutoff(self.keep, self.now)
        self._work("keys", lambda session, limit: _all(writes.request_keys(session, keys, limit), limit), until)
        self._work("results", lambda session, limit: kept_results.remove_expired(session, self.now, limit), until)
        gone = self.now - rules.REMOVED_RUNS_KNOWN
        self._work("removed_runs", lambda session, limit: _all(writes.removed_runs(session, gone, limit), limit), until)
        empty = self.now - rules.ARTIFACT_KEYS_KNOWN
        self._work(
            "artifact_keys", lambda session, limit: _all(artifacts.forget_keys(session, empty, limit), limit), until
        )
        self._work("sessions", lambda session, limit: _all(writes.sessions(session, self.now, limit), limit), until)

    def _pages(self, until: float) -> None:
        """Give unused pages back to the disk when there are many; on a full disk, all of them."""
        if self.db.dialect != "sqlite":
            return
        with self.db.read() as session:
            spare = disk.unused_pages(session) if disk.gives_back(session) else 0
        if spare > (0 if self.essential else _SLACK_PAGES):
            self._work("pages", lambda session, limit: _all(writes.give_back_pages(session, limit), limit), until)

    def _by_number(
        self, table: str, name: str, days: float, most: int, until: float, counted: int | None = None
    ) -> None:
        """A class whose ids grow with time: find the id up to which rows have expired, then delete from the beginning."""
        before = rules.cutoff(days, self.now)
        with self.db.read() as session:
            low, high = disk.id_range(session, table)
            aged = 0 if before is None else disk.last_before(session, table, before)
            share = rules.share_to_delete(disk.estimated_bytes(session, table), most) if most > 0 else 0.0
        newest = min(high - 1, high if counted is None else counted)
        if before is not None and aged >= low:
            self._range(table, name, (low - 1, min(aged, newest)), before, until)
        if share > 0:
            last = min(newest, low + int((high - low + 1) * share))
            before = self.now if counted is None else self.now - rules.STREAMS_RESUME
            self._range(table, name, (low - 1, last), before, until)

    def _range(self, table: str, name: str, span: tuple[int, int], before: datetime, until: float) -> None:
        place, last = span
        if table == "event":
            before = min(before, self.now - rules.STREAMS_RESUME)

        def step(session: Session, limit: int) -> tuple[int, bool]:
            nonlocal place
            place, rows = writes.numbered(session, table, place, last, before, limit)
            return rows, place < last

        self._work(name, step, until)

    def _finish_run(self, session: Session, limit: int) -> tuple[int, bool]:
        """Continue with the run that was half deleted when time was up."""
        text = read_settings.get(session, _UNFINISHED)
        if text is None:
            return 0, False
        run = _id(text)
        if run is None or not writes.lock_if_ended(session, run):
            settings.remove(session, _UNFINISHED)
            return 0, False
        return self._delete_runs(session, [run], limit)

    def _some_runs(self, session: Session, limit: int, before: datetime) -> tuple[int, bool]:
        return self._delete_runs(session, writes.lock_ended_runs(session, before), limit)

    def _delete_runs(self, session: Session, ids: list[UUID], limit: int) -> tuple[int, bool]:
        """One run after the other, until about `limit` rows are gone. One that is only partly deleted is recorded, to be finished later."""
        rows, whole = 0, True
        for run in ids:
            removed, whole = writes.run(session, run, limit - rows, self.now)
            rows += removed
            self.deleted["runs"] += whole
            if not whole:
                settings.put(session, _UNFINISHED, str(run), self.now)
                break
            if rows >= limit:
                break
        if ids and whole:
            settings.remove(session, _UNFINISHED)
        self._half = not whole
        return rows, bool(ids)

    def _runs_too_many(self) -> Step:
        """Deletes the oldest ended runs while all runs together take more space than allowed."""
        with self.db.read() as session:
            others = disk.estimated_bytes(session, "log") + disk.estimated_bytes(session, "event")
            over = disk.used_bytes(session) - others > self.keep.runs_bytes

        def step(session: Session, limit: int) -> tuple[int, bool]:
            if self._half:
                return self._finish_run(session, limit)
            if not over or disk.used_bytes(session) - others <= rules.DONE_AT * self.keep.runs_bytes:
                return 0, False
            return self._some_runs(session, limit, self.now)

        return step

    def _work(self, name: str, step: Step, until: float) -> None:
        more = True
        while more and clock.monotonic() < until:
            began = clock.monotonic()
            with self.db.write("retention", essential=self.essential) as session:
                rows, more = step(session, self._batch)
            took = clock.monotonic() - began
            if name:  # runs are counted where they are deleted, not by their rows
                self.deleted[name] += rows
            self._batch = rules.next_batch(self._batch, took)
            if more:
                self.pause(took)


def _all(rows: int, limit: int) -> tuple[int, bool]:
    return rows, rows >= limit > 0


def over_budget(db: Database, budget: int) -> bool:
    """Is a SQLite database larger than its budget? Deleting doesn't shrink Postgres, so nothing is deleted there for that."""
    if budget <= 0 or db.dialect != "sqlite":
        return False
    with db.read() as session:
        return disk.used_bytes(session) > budget


def _id(text: str) -> UUID | None:
    """A stored id; None for a damaged one, whose run is deleted in its turn."""
    try:
        return UUID(text)
    except ValueError:
        return None
