"""The disk of the database: how full it is, when it will be full, and freeing space when it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions import kept_results, soundness
from appliance.server.actions.keyed import recorded
from appliance.server.actions.retention import Sweep, keep_of
from appliance.server.auth.identity import SYSTEM, Actor
from appliance.server.db.reads import disk as reads
from appliance.server.db.retries import retried
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as write_settings
from appliance.server.domain import retention as rules
from appliance.server.domain.automations import APPLIANCE
from appliance.server.domain.retention import Sample
from appliance.server.events.outbox import announce

log = logging.getLogger(__name__)

_APART = timedelta(hours=1)
_MOST_SAMPLES = 14 * 24
_LONG_LOG = 32 * 1024 * 1024
_HEALING_SECONDS = 20.0
_ID = UUID(int=0)
"""The id in events of the appliance: there is only one."""


@dataclass(frozen=True)
class Disk:
    """The disk as it is now. The disks of Postgres can't be seen from here: `free` and `total` are None for it."""

    used: int  # bytes of the database that hold something
    file: int  # bytes of its file, with the unused ones inside
    write_ahead_log: int
    free: int | None
    total: int | None
    reserve: int  # bytes that the reserve file holds
    reserve_target: int
    budget: int  # 0: none
    results: int  # how many the appliance keeps for runs
    results_bytes: int
    writable: bool  # whether changes are accepted
    days_left: float | None
    warnings: list[str]


@dataclass(frozen=True)
class Freed:
    """What freeing space did."""

    deleted: dict[str, int]
    freed: int  # bytes
    disk: Disk


def measure(db: Database, budget: int, *, now: datetime | None = None) -> Disk:
    """How full the disk is, and when it, or the budget (bytes; 0: none), will be full at this rate of growth."""
    now = now or clock.now()
    with db.read() as session:
        used, samples = reads.used_bytes(session), reads.SAMPLES.find(session) or []
    space, unused = db.space, db.reusable_bytes()
    results, results_bytes = kept_results.totals(db)
    free, total = (None, None) if space is None else (space.free(), space.total())
    held, target = (0, 0) if space is None else (space.reserved(), space.reserve)
    ours = None if free is None or space is None else free - space.least_free
    checked = soundness.last(db)
    days = rules.days_left([*samples, Sample(now, used, free)], ours, budget)
    return Disk(
        used=used,
        file=used + unused,
        write_ahead_log=db.log_bytes(),
        free=free,
        total=total,
        reserve=held,
        reserve_target=target,
        budget=budget,
        results=results,
        results_bytes=results_bytes,
        writable=db.has_room(),
        days_left=days,
        warnings=(checked.warnings if checked else [])
        + rules.warnings(
            free=free,
            total=total,
            used=used,
            budget=budget,
            days=days,
            reserve_missing=bool(samples)
            and held < target,  # a new site has none before the first round of its services
        ),
    )


@retried
def sample(db: Database, now: datetime) -> bool:
    """Record how full the disk is, once an hour; whether it was time for it."""
    with db.read() as session:
        samples, used = reads.SAMPLES.find(session) or [], reads.used_bytes(session)
    new = Sample(now, used, None if db.space is None else db.space.free())
    updated = rules.add_sample(samples, new, _MOST_SAMPLES, _APART)
    if updated == samples:
        return False
    with db.write("disk.sample") as session:
        write_settings.put(session, reads.SAMPLES.name, msgspec.json.encode(updated).decode(), now)
    return True


@retried
def note_low(db: Database, budget: int, now: datetime) -> bool:
    """Announce when disk space has become low, and when there is enough again; whether it is low. To count as enough, there must be a tenth more
    than when it became low."""
    with db.read() as session:
        used, samples, before = (
            reads.used_bytes(session),
            reads.SAMPLES.find(session) or [],
            bool(reads.LOW.find(session)),
        )
    space = db.space
    free, total = (None, None) if space is None else (space.free(), space.total())
    ours = None if free is None or space is None else free - space.least_free
    margin = 1.1 if before else 1.0
    days = rules.days_left([*samples, Sample(now, used, free)], ours, budget)
    sentences = rules.warnings(
        free=None if free is None else int(free / margin), total=total, used=int(used * margin), budget=budget,
        days=None if days is None else days / margin, reserve_missing=False,
    )  # fmt: skip
    if bool(sentences) == before:
        return before
    with db.write("disk.low", essential=True) as session:
        write_settings.put(session, reads.LOW.name, "false" if before else "true", now)
        kind, data = ("disk.recovered", {}) if before else ("disk.low", {"message": " ".join(sentences)})
        announce(session, APPLIANCE, _ID, kind, data, SYSTEM, now)
    return not before


def keep_log_small(db: Database) -> bool:
    """Fold SQLite's write-ahead log into the database when it has grown long; whether that was done."""
    return db.log_bytes() > _LONG_LOG and db.fold_log()


@recorded("disk.free_space", beside=("settings", "seconds"))
def free_space(
    db: Database, actor: Actor, settings: Settings, keep_days: float, *, seconds: float = _HEALING_SECONDS
) -> Freed:
    """Give up the reserve and delete by ever tighter limits until there is room, but nothing younger than `keep_days`; then restore
    the reserve."""
    now, end = clock.now(), clock.monotonic() + seconds
    before, deleted = measure(db, settings.disk_budget_bytes, now=now), dict[str, int]()
    if db.space is not None and not before.writable:
        db.space.give_up()
    keep = keep_of(settings)
    for limits in (keep, *rules.tighter(keep, keep_days)):
        left = end - clock.monotonic()
        if left <= 0 or (limits is not keep and _healed(db)):
            break
        for name, rows in Sweep(db, limits, now, left, essential=True).run().items():
            deleted[name] = deleted.get(name, 0) + rows
        db.fold_log()
    if db.space is not None:
        db.space.restore()
    after = measure(db, settings.disk_budget_bytes, now=now)
    freed = max(0, before.file + before.write_ahead_log - after.file - after.write_ahead_log)
    log.warning("%s freed %d MB on the disk of the database.", actor.name, freed // 2**20)
    return Freed(deleted={name: rows for name, rows in deleted.items() if rows}, freed=freed, disk=after)


def _healed(db: Database) -> bool:
    """Is there room for changes, and to make the reserve again?"""
    if db.space is None:
        return True
    room = db.space.free() + db.reusable_bytes() + db.space.reserved()
    return room >= db.space.reserve + 3 * db.space.least_free
