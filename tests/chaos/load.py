"""A client that never rests: it creates, cancels, restarts and holds runs under keys, and writes down every answer it hears."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.client import flow_runs
from appliance.client.errors import ClientError, Conflict, Invalid, NotFound
from appliance.client.transport import Transport, path
from appliance.kit import clock
from appliance.protocol.flow_runs import ChangeFlowRun, CreateFlowRun, FlowRunView
from tests.chaos.journal import Journal
from tests.e2e.appliance_process import TOKEN

PAUSE = 0.3
MOST_KNOWN = 200
NEWEST = 3
"""Of so many runs one is cancelled or paused: most of the older ones are over."""


class Load(threading.Thread):
    """What failed to be answered is sent again later, under the same key, until it is answered."""

    def __init__(self, url: str, journal: Path, chance: random.Random) -> None:
        super().__init__(name="load", daemon=True)
        self.counts: Counter[str] = Counter()
        self._transport = Transport(url, TOKEN, tries=1)
        self.journal = journal
        self._journal, self._chance = Journal(journal), chance
        self._over = threading.Event()
        self._unanswered: list[tuple[str, Callable[[], None]]] = []
        self._known: list[UUID] = []
        self._paused: list[UUID] = []
        self._pause_of: dict[UUID, str] = {}
        """The key of the first request to pause a run."""
        self._number = 0

    def run(self) -> None:
        while not self._over.wait(self._chance.uniform(PAUSE / 2, PAUSE * 1.5)):
            self._try(*self._next())

    def finish(self) -> None:
        """After the faults: no more new requests, and every one that was not answered is sent until it is."""
        self._over.set()
        self.join(90)
        deadline = clock.monotonic() + 90
        while self._unanswered and clock.monotonic() < deadline:
            self._try(*self._unanswered.pop(0))
            threading.Event().wait(0.05)
        assert not self._unanswered, "requests are still not answered"
        self._transport.close()
        self._journal.close()

    def _next(self) -> tuple[str, Callable[[], None]]:
        if self._unanswered and self._chance.random() < 0.5:
            return self._unanswered.pop(0)
        self._number += 1
        key = f"load-{self._number}"
        kind = self._chance.random()
        if kind < 0.7 or not self._known:
            values = {"n": self._number, "pause": self._chance.choice([0.0, 0.1, 0.5, 3.0])}
            return "create", lambda: self._create(key, values)
        new, known = self._chance.choice(self._known[-NEWEST:]), self._chance.choice(self._known)
        if kind < 0.8:
            return "cancel", lambda: self._cancel(new)
        verb = self._chance.choice(["restart", "restart", "pause", "resume"])
        run = new if verb == "pause" else self._chance.choice(self._paused or [known]) if verb == "resume" else known
        return verb, lambda: self._change(verb, run, key)

    def _try(self, kind: str, request: Callable[[], None]) -> None:
        try:
            request()
        except (Conflict, NotFound, Invalid):
            self.counts[f"{kind} refused"] += 1
        except ClientError:
            self.counts["not answered"] += 1
            self._unanswered.append((kind, request))
        else:
            self.counts[kind] += 1

    def _create(self, key: str, values: dict[str, Any]) -> None:
        request = CreateFlowRun(project="chaos", flow="work", parameters=values, idempotency_key=key)
        run = flow_runs.create(self._transport, request).id
        self._journal.acknowledged("create", run, key, parameters=values)
        self._known = [*self._known, run][-MOST_KNOWN:]

    def _cancel(self, run: UUID) -> None:
        flow_runs.cancel(self._transport, run)
        self._journal.acknowledged("cancel", run)

    def _change(self, verb: str, run: UUID, key: str) -> None:
        wanted = ChangeFlowRun(idempotency_key=key)
        first = self._pause_of.setdefault(run, key) if verb == "pause" else ""
        view = self._transport.post(path("flow-runs", run, verb), wanted, FlowRunView, idempotent=True)
        if verb == "restart" or (view.state == "Paused" and first == key):  # pausing again changes nothing
            self._journal.acknowledged("change", run, key)
        if view.state == "Paused":
            self._paused.append(run)
        elif verb == "resume" and run in self._paused:
            self._paused.remove(run)
