"""`python -m tests.chaos.claimer NAME FOLDER`: an agent with the real loop whose runs are no processes, but a few requests from its own threads. Each attempt
that it starts is a line in the ledger and, with its run token, in a file of this process, from which a storm learns what died with it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from uuid import UUID

from appliance.agents.agent import Agent
from appliance.client import run_protocol, wire
from appliance.client.errors import ClientError, Conflict, Forbidden, NotFound, Unauthenticated
from appliance.client.transport import Transport
from appliance.config import client_address
from appliance.kit import clock
from appliance.protocol.agents import Enrolled, Held, Work
from appliance.protocol.run_protocol import FlowStateEvent, Report, TaskStateEvent

SLOTS, LONGEST_PAUSE = 8, 0.5
STARTED, WORKED = "start", "tick-1"
"""What the ledger says of an attempt: that it was started, and that its only task was done."""
_GONE = (Conflict, Forbidden, NotFound, Unauthenticated)


def append(path: Path, line: str) -> None:
    """One write, so that the line is there whole or not at all."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def last_report(attempt: int) -> bytes:
    """All that a run of the flow `ticks` has to say."""
    at = clock.now()
    events = [
        TaskStateEvent(slug=WORKED, type="RUNNING", name="Running", at=at, run_count=1),
        TaskStateEvent(slug=WORKED, type="SUCCESS", name="Success", at=at, run_count=1),
        FlowStateEvent(type="SUCCESS", name="Success", at=at),
    ]
    return wire.encode(Report(attempt=attempt, seq=1, events=events))


class Claimer(Agent):
    """Runs die with it: it adopts nothing."""

    kind = "process"

    def __init__(self, transport: Transport, name: str, folder: Path) -> None:
        super().__init__(transport, name=name, labels=[], capacity=SLOTS)
        self._ledger, self._own = folder / "ledger", folder / f"attempts-{os.getpid()}"
        self._held: dict[tuple[UUID, int], Work] = {}
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Work] = SimpleQueue()

    def open(self) -> None:
        for _ in range(SLOTS):
            threading.Thread(target=self._work, daemon=True).start()

    def on_enrol(self, answer: Enrolled) -> None:
        pass

    def close(self) -> None:
        while self.holding():
            self.changed.wait(0.1)

    def holding(self) -> list[Held]:
        with self._lock:
            return [Held(flow_run_id=run, attempt=attempt) for run, attempt in self._held]

    def start(self, work: Work) -> None:
        append(self._own, f"{work.flow_run_id} {work.attempt} {work.run_token}")
        append(self._ledger, f"{work.flow_run_id} {work.attempt} {STARTED}")
        with self._lock:
            self._held[work.flow_run_id, work.attempt] = work
        self._queue.put(work)
        self.started(work)

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        """It ends at once anyway."""

    def report_failed_start(self, work: Work, reason: str) -> None:
        raise AssertionError(reason)

    def _work(self) -> None:
        chance = random.Random()
        while True:
            work = self._queue.get()
            with Transport(self._transport.url, work.run_token, tries=1) as api:
                self._live(api, work, chance.uniform(0, LONGEST_PAUSE))
            with self._lock:
                del self._held[work.flow_run_id, work.attempt]
            self.changed.set()

    def _live(self, api: Transport, work: Work, pause: float) -> None:
        """As a run does, it repeats what was not answered, and ends where it is refused."""
        rest, report = threading.Event(), b""
        while True:
            try:
                if not report:
                    if run_protocol.begin(api, work.flow_run_id, work.attempt).verdict != "go":
                        return
                    append(self._ledger, f"{work.flow_run_id} {work.attempt} {WORKED}")
                    rest.wait(pause)
                    report = last_report(work.attempt)
                run_protocol.report(api, work.flow_run_id, report)
                return
            except _GONE:
                return
            except ClientError:
                rest.wait(0.1)


def main() -> int:
    name, folder = sys.argv[1:]
    url, token = client_address()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Transport(url, token) as transport:
        return Claimer(transport, name, Path(folder)).run(stop)


if __name__ == "__main__":
    sys.exit(main())
