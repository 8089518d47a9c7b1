"""Reports the exits of processes, retrying until the server accepts them. The reports left in their spools are delivered first."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from appliance.agents.attempts import AttemptRecord, AttemptStore, files_of, opened
from appliance.client import agents
from appliance.client import run_protocol as runs
from appliance.client.errors import BadAnswer, ClientError, Refused
from appliance.client.transport import Transport
from appliance.engine.tracked import events
from appliance.engine.tracked.reporter import TRIES_AS_A_WHOLE
from appliance.engine.tracked.spool import FILE_NAME
from appliance.kit import crash
from appliance.kit.backoff import delays
from appliance.protocol.agents import AgentReport, Exited, InfrastructureLog

LONGEST_PAUSE = 3.0
_ABOUT_THE_WAY = ("conflict", "method_not_allowed", "unsupported_media_type")
"""Codes that don't reject the report itself: another change was faster, or something on the way changed the request."""
_logger = logging.getLogger("appliance.agent")

Entry = tuple[Path, AttemptRecord, AgentReport]


class ExitReports:
    """A queue with its own thread. Its entries are also on disk, so that a restarted agent continues with them."""

    def __init__(
        self,
        transport: Transport,
        attempts: AttemptStore,
        as_run: Callable[[str], Transport] | None = None,
        *,
        done: Callable[[AttemptRecord], None] = lambda record: None,
        logs_tail: bool = False,
    ) -> None:
        """`done` is called when the server knows an exit; `logs_tail`: the last lines of a run that failed to report its end are for its log, too."""
        self._done, self._logs_tail = done, logs_tail
        self._transport = transport
        self._as_run = as_run or (lambda token: Transport(transport.url, token, tries=1))
        self._attempts = attempts
        self._queue: deque[Entry] = deque()
        self._too_large = 0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="appliance-exits", daemon=True)
        self.agent_id: UUID | None = None

    def start(self, agent_id: UUID) -> None:
        """Start reporting, on behalf of this agent."""
        self.agent_id = agent_id
        if not self._thread.is_alive():
            self._thread.start()

    def add(self, directory: Path, record: AttemptRecord, exited: Exited) -> None:
        """Report this exit, which was written to disk before."""
        logs = _last_lines(exited, self._attempts.exited_at(directory)) if self._logs_tail else []
        self._queue.append((directory, record, AgentReport(exited=[exited], logs=logs)))
        self._wake.set()

    def waiting(self) -> int:
        """How many exits the server has not heard of yet."""
        return len(self._queue)

    def close(self) -> None:
        """Stop after the current request. The next start reports the rest."""
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
                _logger.warning("Could not report the exit of a run yet; retrying: %s", error)
                self._stop.wait(next(pauses))
                continue
            except OSError as error:  # the server has the report; sending it again from disk is harmless
                _logger.error("Could not clean up the files of run %s: %s", self._queue[0][1].flow_run_id, error)
            self._queue.popleft()
            pauses = delays(0.1, LONGEST_PAUSE)

    def _deliver(self, directory: Path, record: AttemptRecord, report: AgentReport) -> None:
        try:
            self._replay(record, files_of(directory) / FILE_NAME)
        except FileNotFoundError:
            _logger.debug("Run %s has left no reports.", record.flow_run_id)
        except OSError as error:
            _logger.error("Could not read the spool of run %s: %s", record.flow_run_id, error)
        assert self.agent_id is not None
        try:
            agents.report(self._transport, self.agent_id, report)
        except Refused as error:
            if error.status >= 500 or error.status in (401, 403, 404, 429) or error.code in _ABOUT_THE_WAY:
                raise  # the cause is the agent or the server, not this report
            _logger.error("The server rejected the exit report of run %s: %s", record.flow_run_id, error)
        crash.point("agent.reported")
        self._done(record)
        self._attempts.archive(directory, clean=report.exited[0].code == 0)

    def _replay(self, record: AttemptRecord, spool: Path) -> None:
        """Deliver the batches of a process that ended while the server was down. The server skips those that it already has."""
        with opened(spool) as lines, self._as_run(record.token) as transport:
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # the process died while writing this line
                try:
                    self._send(transport, record.flow_run_id, line.rstrip(b"\n"))
                except Refused as error:
                    if error.status >= 500 or error.code in _ABOUT_THE_WAY:
                        raise
                    _logger.warning("The server accepts no more reports of run %s: %s", record.flow_run_id, error)
                    return

    def _send(self, transport: Transport, flow_run_id: UUID, report: bytes) -> None:
        """Send a batch, with short texts if a proxy keeps finding it too large."""
        if self._too_large >= TRIES_AS_A_WHOLE:
            report = events.cut(report)
        try:
            runs.report(transport, flow_run_id, report)
        except BadAnswer as error:
            self._too_large += events.is_too_large(error, report)
            raise
        self._too_large = 0


def _last_lines(exited: Exited, at: datetime) -> list[InfrastructureLog]:
    """How a run has ended and what it has written last, as one entry of its log, unless it has reported its end itself. Its state may not say it: a run
    whose agent could not look for long has been given up. The entry is always the same, so that the server keeps it once."""
    if exited.code == 0 or not (exited.tail or exited.code or exited.signal):
        return []
    output = ["The last lines of its output:", *exited.tail] if exited.tail else []
    message = "\n".join(filter(None, [exited.reason, *output]))
    return [
        InfrastructureLog(flow_run_id=exited.flow_run_id, attempt=exited.attempt, at=at, level="ERROR", message=message)
    ]
