"""Reports the ends of processes until the server has taken them, however long it is away; first what they left in their spools."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from appliance.agents.attempts import Job, Jobs
from appliance.client import agents
from appliance.client import run_protocol as runs
from appliance.client.errors import ClientError, Refused
from appliance.client.transport import Transport
from appliance.engine.tracked.spool import FILE_NAME
from appliance.kit import crash
from appliance.kit.backoff import delays
from appliance.protocol.agents import AgentReport, Exited

LONGEST_PAUSE = 3.0
_logger = logging.getLogger("appliance.agent")

Entry = tuple[Path, Job, Exited]


class ExitReports:
    """A queue with a thread of its own; what is in it lies on disk too, so a restarted agent goes on with it."""

    def __init__(self, transport: Transport, jobs: Jobs, as_run: Callable[[str], Transport] | None = None) -> None:
        self._transport = transport
        self._as_run = as_run or (lambda token: Transport(transport.url, token, tries=1))
        self._jobs = jobs
        self._queue: deque[Entry] = deque()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="appliance-exits", daemon=True)
        self.agent_id: UUID | None = None

    def start(self, agent_id: UUID) -> None:
        """From now on, as this agent."""
        self.agent_id = agent_id
        if not self._thread.is_alive():
            self._thread.start()

    def add(self, directory: Path, job: Job, exited: Exited) -> None:
        """Report this end. It was written to disk before."""
        self._queue.append((directory, job, exited))
        self._wake.set()

    def close(self) -> None:
        """Stop after the request that is under way; the rest is for the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _work(self) -> None:
        pauses = delays(0.1, LONGEST_PAUSE)
        while not self._stop.is_set():
            if not self._queue:
                self._wake.wait()
                self._wake.clear()
                continue
            try:
                self._deliver(*self._queue[0])
            except ClientError as error:
                _logger.warning("The end of a run waits to be reported: %s", error)
                self._stop.wait(next(pauses))
                continue
            except OSError as error:  # the server knows; what is left on disk is reported again, harmlessly
                _logger.error("What run %s left on disk can't be put aside: %s", self._queue[0][1].flow_run_id, error)
            self._queue.popleft()
            pauses = delays(0.1, LONGEST_PAUSE)

    def _deliver(self, directory: Path, job: Job, exited: Exited) -> None:
        try:
            if (directory / FILE_NAME).exists():
                self._replay(job, directory / FILE_NAME)
        except OSError as error:
            _logger.error("What run %s left in its spool can't be read: %s", job.flow_run_id, error)
        assert self.agent_id is not None
        try:
            agents.report(self._transport, self.agent_id, AgentReport(exited=[exited]))
        except Refused as error:
            if error.status >= 500 or error.status in (401, 403, 404, 429):
                raise  # a matter of the agent or the server, not of this report
            _logger.error("The server did not take the end of run %s: %s", exited.flow_run_id, error)
        crash.point("agent.reported")
        self._jobs.put_aside(directory, clean=exited.code == 0)

    def _replay(self, job: Job, spool: Path) -> None:
        """Deliver the batches of a process that ended while the server was away; those that it has are skipped by number."""
        with spool.open("rb") as lines, self._as_run(job.token) as transport:
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # cut off in the middle of writing
                try:
                    runs.report(transport, job.flow_run_id, line.rstrip(b"\n"))
                except Refused as error:
                    if error.status >= 500 or error.code == "conflict":
                        raise
                    _logger.warning("The server takes no more reports of run %s: %s", job.flow_run_id, error)
                    return
