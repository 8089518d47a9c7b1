"""The notifier: makes deliveries of the events that automations wait for, and sends them, each target in a thread of its own, or does what they say."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import defaultdict
from datetime import datetime

from appliance.config import Settings
from appliance.kit import clock, crash
from appliance.server.actions import deliveries
from appliance.server.actions.automation_acting import act
from appliance.server.actions.automation_matches import address_of
from appliance.server.actions.automation_sending import deliver
from appliance.server.actions.automations import action_of
from appliance.server.db.rows.automations import DueDelivery
from appliance.server.db.session import Database
from appliance.server.domain.automation_acts import acts
from appliance.server.domain.targets import key_of
from appliance.server.errors import ServerError

log = logging.getLogger(__name__)

_MOST_THREADS = 16
_BATCH = 1_000
_ROUND = 5.0
"""Seconds for which one thread sends, and for which a round follows the outbox."""


class Notifier:
    name = "notifier"

    def __init__(self, db: Database, settings: Settings, interval: float = 2.0) -> None:
        self.interval = interval
        self._db, self._settings = db, settings
        self._follower = deliveries.Follower(address_of(settings))
        self._busy: dict[str, threading.Thread] = {}

    def run_once(self, now: datetime) -> dict[str, int]:
        """Make the deliveries of what happened since the last round, and begin to send what is due. A slow target delays no other."""
        made, deadline, more = 0, clock.monotonic() + _ROUND, True
        while more and clock.monotonic() < deadline:
            number, more = deliveries.follow(self._db, self._follower, now)
            made += number
        return {"deliveries": made, "targets": self._begin(now)}

    def finish(self, seconds: float) -> None:
        """Wait for the threads. For tests."""
        for thread in list(self._busy.values()):
            thread.join(seconds)

    def _begin(self, now: datetime) -> int:
        """Start a thread for each target that has something due and none yet; for how many."""
        self._busy = {target: thread for target, thread in self._busy.items() if thread.is_alive()}
        if len(self._busy) >= _MOST_THREADS:
            return 0
        queues: defaultdict[str, list[DueDelivery]] = defaultdict(list)
        for delivery in deliveries.due(self._db, now, _BATCH):
            queues[key_of(action_of(delivery.action))].append(delivery)
        begun = 0
        for target, queue in queues.items():
            if target not in self._busy and len(self._busy) < _MOST_THREADS:
                # with the lease, so that what the thread writes is refused once another process has it
                context = contextvars.copy_context()
                thread = threading.Thread(
                    target=context.run, args=(self._send_all, queue), name="notifier", daemon=True
                )
                self._busy[target] = thread
                thread.start()
                begun += 1
        return begun

    def _send_all(self, queue: list[DueDelivery]) -> None:
        """Send one after the other until one does not arrive and may later, or the time is over: the rest has its turn in a later round."""
        deadline = clock.monotonic() + _ROUND
        try:
            for delivery in queue:
                if not self._send(delivery) or clock.monotonic() >= deadline:
                    return
        except ServerError as error:
            log.warning("The notifier can't note what it sent; it will be sent again: %s", error)
        except Exception:  # a thread has no caller: without this, nobody would learn of it
            log.exception("The notifier failed; what it was sending will be sent again.")

    def _send(self, delivery: DueDelivery) -> bool:
        crash.point("outbox.picked")
        action = action_of(delivery.action)
        if acts(action):
            outcome = act(self._db, delivery, now=clock.now())
        else:
            outcome = deliver(self._db, self._settings, action, {"id": str(delivery.id), **delivery.message})
            crash.point("outbox.sent")
            deliveries.mark(self._db, delivery, outcome, now=clock.now())
        crash.point("outbox.marked")
        if not outcome.ok:
            log.warning("The automation %r did not reach its goal: %s", delivery.name, outcome.reason)
        return outcome.ok or outcome.is_final
