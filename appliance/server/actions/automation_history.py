"""What automations would have done: their events and their rules, applied to what has happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.kit import clock
from appliance.protocol.automations import DryRun, DryRunFiring, DryRunView
from appliance.server.actions.automation_matches import Condition, Match, matches
from appliance.server.actions.automations import check_rate
from appliance.server.db.reads import automations as reads
from appliance.server.db.reads import disk, events, run_filter_names
from appliance.server.db.session import Database
from appliance.server.domain import automations as rules
from appliance.server.domain import run_query
from appliance.server.errors import Invalid

MOST_DAYS = 30
_BATCH = 2_000
_SECONDS = 3.0
"""For which a look goes back in time."""
_NEWEST = 50


@dataclass(frozen=True)
class _Condition:
    events: Sequence[str]
    q: str


@dataclass(frozen=True)
class _Part:
    """What matches in a part of history, the newest first. `until`: it goes back to then; `is_last`: no part comes after it."""

    matched: list[Match]
    until: datetime
    is_last: bool


def dry_run(db: Database, request: DryRun, *, now: datetime | None = None) -> DryRunView:
    """How often an automation would have acted in the last days. It looks at the same events by the same rules, but runs are as they are
    now; a failure counts whether it is known or not. It goes back for some seconds at most."""
    now = now or clock.now()
    if not 1 <= request.days <= MOST_DAYS:
        raise Invalid(f"A dry run goes back 1 to {MOST_DAYS} days.")
    check_rate(request.at_most, request.per)
    condition = _Condition(list(dict.fromkeys(request.events)), request.q.strip())
    query = run_query.parse(condition.q, now)
    rules.check_query(rules.subject_of(condition.events), query)
    with db.read() as session:
        run_filter_names.check(session, query)
    matched: list[Match] = []
    since, complete = now, False
    for part in _back(db, condition, now - timedelta(days=request.days), now):
        matched += part.matched
        since, complete = part.until, part.is_last
    return _summary(matched, request, since, complete)


def newest(db: Database, condition: Condition, base_url: str, now: datetime) -> Match | None:
    """The newest event of the last days that the condition describes."""
    parts = _back(db, condition, now - timedelta(days=MOST_DAYS), now, base_url)
    return next((part.matched[0] for part in parts if part.matched), None)


def _back(db: Database, condition: Condition, since: datetime, now: datetime, base_url: str = "") -> Iterator[_Part]:
    with db.read() as session:
        first = disk.last_before(session, "event", since)
        before = events.newest_id(session) + 1
    deadline, is_last = clock.monotonic() + _SECONDS, False
    while not is_last and clock.monotonic() < deadline:
        with db.read() as session:
            batch = reads.events_between(session, first, before, _BATCH)
            matched = matches(session, condition, batch, base_url, now)
        is_last = len(batch) < _BATCH
        before = batch[-1].id if batch else before
        yield _Part(matched, since if is_last else batch[-1].at, is_last)


def _summary(matched: list[Match], request: DryRun, since: datetime, complete: bool) -> DryRunView:
    times: list[datetime] = []
    fired: list[Match] = []
    for match in reversed(matched):
        at = match.event.at
        if rules.allowed(times[-request.at_most :] if request.at_most else [], at, request.at_most, request.per):
            times.append(at)
            fired.append(match)
    newest = [
        DryRunFiring(
            at=match.event.at, event=match.name, object_id=match.event.object_id, flow=match.message.get("flow", ""),
            run=match.message.get("run", match.message.get("agent", "")),
        )
        for match in reversed(fired[-_NEWEST:])
    ]  # fmt: skip
    return DryRunView(fired=len(fired), events=len(matched), since=since, complete=complete, newest=newest)
