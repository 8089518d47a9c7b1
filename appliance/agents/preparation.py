"""What may take long before a run's process can start, such as fetching its code: done in a thread of its own, and not in the agent's loop.

The attempt counts as held meanwhile. A stop ends the waiting at once; what is being fetched is still kept for the next attempt.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from appliance.agents.agent import Lacking, NotStarted, StartFailed
from appliance.agents.returning import give_back
from appliance.client import agents
from appliance.client import run_protocol as runs
from appliance.client.errors import PASSING, ClientError
from appliance.client.transport import Transport
from appliance.core import masking
from appliance.kit import clock
from appliance.kit.backoff import delays
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol.agents import AgentReport, CodeGone, Held, InfrastructureLog, Work
from appliance.protocol.logs import Level

PATIENCE = 60.0
"""Seconds for which fetching is tried again while the place of the code can't be reached."""
_logger = logging.getLogger("appliance.agent")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What an attempt needs. `note`: a line for its log, for which the start doesn't wait."""

    note: str = ""

    def close(self) -> None:
        """Once the attempt was started, or was not."""


P = TypeVar("P", bound=Prepared)


class Starter(Protocol[P]):
    """The part of an agent that knows how runs are prepared and started."""

    def prepare(self, work: Work, access: RunAccess) -> P:
        """What takes long. Raises StartFailed, Lacking, NotStarted, LoadError, CodeMissing or Unreachable."""
        ...

    def start_prepared(self, work: Work, directory: Path, prepared: P) -> None:
        """Start it, which must not take long. Raises StartFailed."""
        ...

    def report_failed_start(self, work: Work, reason: str) -> None: ...

    def not_started(self, work: Work, error: Exception) -> None: ...


@dataclass(eq=False)
class RunAccess:
    """What preparing an attempt may use."""

    transport: Transport
    agent_id: UUID
    work: Work
    flow_run_id: UUID = field(init=False)
    attempt: int = field(init=False)
    run_token: str = field(init=False)
    stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.flow_run_id, self.attempt, self.run_token = self.work.flow_run_id, self.work.attempt, self.work.run_token

    def secret(self, name: str) -> str:
        """The value of a secret that the flow declares. Raises LoadError, or Unreachable."""
        try:
            with self.as_run() as transport:
                value = runs.secret(transport, self.flow_run_id, self.attempt, name)
        except PASSING as error:
            raise Unreachable(str(error)) from error
        except ClientError as error:
            raise LoadError(str(error)) from error
        masking.hide(value)
        return value

    def as_run(self) -> Transport:
        """A transport to the server with the attempt's token."""
        return Transport(self.transport.url, self.run_token)

    def say(self, line: str, level: Level = "INFO") -> None:
        """Write a line to the run's log, if the server can be reached."""
        entry = InfrastructureLog(
            flow_run_id=self.flow_run_id, attempt=self.attempt, at=clock.now(), level=level, message=masking.mask(line)
        )
        try:
            agents.report(self.transport, self.agent_id, AgentReport(logs=[entry]))
        except ClientError as error:
            _logger.info("A line of the log of run %s is lost: %s", self.work.name, error)


class Preparations(Generic[P]):
    """The attempts that are being prepared, each in a thread. `changed` is called when one of them ends without being started."""

    def __init__(self, starter: Starter[P], transport: Transport, changed: Callable[[], None]) -> None:
        self._starter, self._transport, self._changed = starter, transport, changed
        self._lock = threading.Lock()
        self._active: dict[tuple[UUID, int], RunAccess] = {}
        self.agent_id: UUID | None = None

    def add(self, work: Work, directory: Path) -> None:
        """Prepare an attempt and then start it."""
        assert self.agent_id is not None
        access = RunAccess(self._transport, self.agent_id, work)
        with self._lock:
            self._active[work.flow_run_id, work.attempt] = access
        name = f"appliance-preparation-{work.flow_run_id}"
        threading.Thread(target=self._work, args=(access, directory), name=name, daemon=True).start()

    def holding(self) -> list[Held]:
        """The attempts that are being prepared now."""
        with self._lock:
            return [Held(flow_run_id=run, attempt=attempt) for run, attempt in self._active]

    def stop(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        """End the waiting, if it is one of these."""
        with self._lock:
            access = self._active.get((flow_run_id, attempt))
            if access is None or access.stopped.is_set():
                return
            access.stopped.set()
            self._starter.report_failed_start(access.work, reason)
            del self._active[flow_run_id, attempt]
        self._changed()

    def close(self) -> None:
        """Start nothing any more. The server gives back what was not started."""
        with self._lock:
            for access in self._active.values():
                access.stopped.set()

    def _work(self, access: RunAccess, directory: Path) -> None:
        work = access.work
        try:
            prepared = self._prepared(access)
            with closing(prepared), self._lock:  # a stop comes before the start, or finds the process
                if not access.stopped.is_set():
                    self._starter.start_prepared(work, directory, prepared)
            if prepared.note and not access.stopped.is_set():
                access.say(prepared.note)
        except (CodeMissing, Lacking) as error:
            self._give_back(access, directory, error)
        except NotStarted as error:
            self._starter.not_started(work, error)
            shutil.rmtree(directory, ignore_errors=True)
        except (StartFailed, LoadError) as error:
            self._fail(access, error, str(error))
        except Exception as error:  # no run may end the agent, which has others
            _logger.exception("Preparing run %s failed.", work.name)
            self._fail(access, error, f"The agent could not start it: {type(error).__name__}: {error}")
        with self._lock:
            self._active.pop((work.flow_run_id, work.attempt), None)
        self._changed()

    def _prepared(self, access: RunAccess) -> P:
        deadline, pauses = clock.monotonic() + PATIENCE, delays(0.5, 10.0)
        while True:
            try:
                return self._starter.prepare(access.work, access)
            except Unreachable as error:
                if access.stopped.is_set() or clock.monotonic() > deadline:
                    raise CodeMissing(str(error)) from error
                access.say(f"{error} It is tried again.", "WARNING")
                access.stopped.wait(next(pauses))

    def _fail(self, access: RunAccess, error: Exception, reason: str) -> None:
        with self._lock:
            if access.stopped.is_set():
                return
            access.stopped.set()
        self._starter.not_started(access.work, error)
        _logger.error("Run %s could not be started: %s", access.work.name, reason)
        self._starter.report_failed_start(access.work, reason)

    def _give_back(self, access: RunAccess, directory: Path, error: CodeMissing | Lacking) -> None:
        """The server moves the run to another version, or lets it wait for what it needs."""
        if access.stopped.is_set():
            return
        reason, is_code = str(error), isinstance(error, CodeMissing)
        request = CodeGone(flow_run_id=access.flow_run_id, attempt=access.attempt, reason=reason, is_code=is_code)
        if give_back(self._transport, access.agent_id, request, access.work.name):
            self._starter.not_started(access.work, error)
            shutil.rmtree(directory, ignore_errors=True)
        else:
            self._fail(access, error, reason)
