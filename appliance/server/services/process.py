"""Runs all services in one process. APScheduler sets the pace; a lease row decides which process runs a service's rounds."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from appliance.config import Settings
from appliance.kit import clock, lifecycle
from appliance.server.actions import leases
from appliance.server.db import fence
from appliance.server.db.session import Database, open_database
from appliance.server.errors import ServerError
from appliance.server.services.disk import Disk
from appliance.server.services.hold import Hold
from appliance.server.services.jobs import Jobs
from appliance.server.services.late import Late
from appliance.server.services.log_search import LogSearch
from appliance.server.services.notifier import Notifier
from appliance.server.services.repair import Repair
from appliance.server.services.retention import Retention
from appliance.server.services.rollups import Rollups
from appliance.server.services.run_names import RunNames
from appliance.server.services.scheduler import Scheduler
from appliance.server.services.service import Service
from appliance.server.services.soundness import Soundness

log = logging.getLogger(__name__)

_LEAST_LEASE = 15.0
_STEP = 2.0  # seconds that the wall clock may jump before the metronome is reset
_GRACE = 4.0
_APART = timedelta(milliseconds=100)
_PATIENCE = 8.0  # seconds per statement: services read and delete many rows at once, and no one waits for a response


class Rounds:
    """One service's rounds in this process: take the lease, do the work, record the counts and renew the lease with them. Never raises.

    Under a lease that was renewed a moment ago, a round begins at once. If another process has it nevertheless, because a clock was moved
    or this process stood still, what the round writes is refused, and the next one asks again.
    """

    def __init__(self, service: Service, db: Database, holder: str) -> None:
        self.service = service
        self.failures = 0
        self._db = db
        self._holder = holder
        self._epoch: int | None = None
        self._busy = threading.Lock()
        self._ttl = max(_LEAST_LEASE, 3 * service.interval)
        self._taken = 0.0
        self._is_renewed = False  # by the record of the round before
        self._unrenewed: tuple[datetime, float] | None = (
            None  # the end of another's lease, and since when it has been that
        )
        self._finished = False

    def __call__(self) -> None:
        with self._busy:
            if self._finished:
                return  # the metronome had queued this round just before it was shut down
            try:
                self._round(clock.now())
                self.failures = 0
            except Exception as error:
                self.failures += 1
                expected = isinstance(error, ServerError)
                log.error("The service %s failed; retrying: %s", self.service.name, error, exc_info=not expected)

    def _round(self, now: datetime) -> None:
        epoch = self._hold(now)
        if epoch is None:
            return
        self._is_renewed = False
        with fence.holding(self.service.name, epoch):
            counts = self.service.run_once(now)
        self._is_renewed = leases.record(self._db, self.service.name, epoch, counts, self._ttl, now=clock.now())
        self._taken = clock.monotonic()

    def _hold(self, now: datetime) -> int | None:
        """The epoch of the lease, which is taken or renewed unless that has just been done; None while another process has it."""
        if self._is_renewed and clock.monotonic() - self._taken < self._ttl / 2:
            return self._epoch
        before = self._epoch
        self._epoch = leases.acquire(self._db, self.service.name, self._holder, self._ttl, now=now)
        if self._epoch is None:
            self._epoch = self._seize(now)
        self._taken = clock.monotonic()
        if self._epoch is not None and before != self._epoch:
            log.info("This process now runs the service %s.", self.service.name)
        return self._epoch

    def _seize(self, now: datetime) -> int | None:
        """Take a lease that ends later than any can, because a clock was set back, once nobody has renewed it for its length: its holder
        has died, and would otherwise keep everybody out for as long as the clock was wrong."""
        row = leases.find(self._db, self.service.name)
        if row is None or row.expires <= now + timedelta(seconds=2 * self._ttl):
            self._unrenewed = None
            return None
        moment = clock.monotonic()
        if self._unrenewed is None or self._unrenewed[0] != row.expires:
            self._unrenewed = row.expires, moment
        if moment - self._unrenewed[1] < self._ttl:
            return None
        return leases.seize(self._db, row, self._holder, self._ttl, now=now)

    def prolong(self) -> None:
        """Extend the lease during a long round. Called periodically from another thread. A lost lease stays lost."""
        epoch = self._epoch
        if epoch is None or not self._busy.locked() or clock.monotonic() - self._taken < self._ttl / 3:
            return
        try:
            if leases.prolong(self._db, self.service.name, epoch, self._ttl):
                self._taken = clock.monotonic()
        except ServerError as error:
            log.warning("Can't extend the lease of the service %s: %s", self.service.name, error)

    def finish(self, timeout: float) -> None:
        """Wait for the active round and release the lease, so that another process can take over at once. No more rounds start."""
        self._finished = True
        if not self._busy.acquire(timeout=max(0.0, timeout)):
            log.warning("The service %s did not finish its round in time.", self.service.name)
            return
        try:
            if self._epoch is not None:
                leases.release(self._db, self.service.name, self._holder, self._epoch)
        except ServerError as error:
            log.warning("Can't release the lease of the service %s: %s", self.service.name, error)
        finally:
            self._busy.release()


def services_of(settings: Settings, db: Database) -> list[Service]:
    """Every service of the appliance."""
    return [
        Scheduler(db, settings.scheduler_interval),
        Repair(db, settings.repair_interval),
        Late(db, settings.repair_interval),
        Jobs(db),
        Hold(db, settings.hold_overdue_above),
        Rollups(db),
        Notifier(db, settings),
        RunNames(db),
        LogSearch(db),
        Retention(db, settings),
        Disk(db, settings.disk_budget_bytes),
        Soundness(db),
    ]


def main(settings: Settings, stop: threading.Event | None = None) -> int:
    """Run the services until SIGTERM, SIGINT or `stop`, and return the exit code."""
    stop = lifecycle.stop_on_signals() if stop is None else stop
    db = open_database(settings, patience=_PATIENCE)
    holder = f"{socket.gethostname()[:120]}:{os.getpid()}:{secrets.token_hex(4)}"
    rounds = [Rounds(service, db, holder) for service in services_of(settings, db)]
    metronome = _metronome(rounds)
    log.info("Services started: %s.", ", ".join(item.service.name for item in rounds))
    try:
        _keep_time(metronome, rounds, stop)
    finally:
        metronome.shutdown(wait=False)
        deadline = clock.monotonic() + _GRACE
        for item in rounds:
            item.finish(deadline - clock.monotonic())
        db.dispose()
    log.info("Services stopped.")
    return 0


def _metronome(rounds: list[Rounds]) -> BackgroundScheduler:
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # it warns about every round that takes long
    metronome = BackgroundScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for item in rounds:
        metronome.add_job(item, "interval", seconds=item.service.interval, id=item.service.name)
    _begin(metronome)
    metronome.start()
    return metronome


def _begin(metronome: BackgroundScheduler) -> None:
    """Let the next rounds begin one after another: all at once, each would have a thread and a connection of its own, for good."""
    now = clock.now()
    for number, job in enumerate(metronome.get_jobs()):
        job.modify(next_run_time=now + number * _APART)


def _keep_time(metronome: BackgroundScheduler, rounds: list[Rounds], stop: threading.Event) -> None:
    """Wait for `stop`, and meanwhile extend the leases of long rounds. The metronome follows the wall clock, so reschedule the next
    rounds when it is set back or forward."""
    wall, steady = clock.now(), clock.monotonic()
    while not stop.wait(1.0):
        for item in rounds:
            item.prolong()
        jump = (clock.now() - wall).total_seconds() - (clock.monotonic() - steady)
        wall, steady = clock.now(), clock.monotonic()
        if abs(jump) > _STEP:
            log.warning("The system clock jumped by %.0f s.", jump)
            _begin(metronome)
