"""The process agent: each run is a process of its own on this machine, in its own session, and outlives the agent."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from appliance.agents.agent import WAIT, Agent, StartFailed
from appliance.agents.attempts import OUTPUT, Job, Jobs, born, end_of, tell_why
from appliance.agents.exit_reports import ExitReports
from appliance.agents.warm_pool import PoolUnusable, WarmPool
from appliance.agents.watch import Watched, Watcher
from appliance.client.transport import Transport
from appliance.kit import crash
from appliance.protocol.agents import Enrolled, Held, Work

_logger = logging.getLogger("appliance.agent")


class ProcessAgent(Agent):
    """`run(stop)` until the event is set; runs that are at work then go on, and the next start adopts them."""

    kind = "process"

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        labels: Sequence[str] = (),
        capacity: int = 8,
        state_dir: Path,
        warm: bool = True,
        wait: float = WAIT,
        results_url: str = "",
    ) -> None:
        super().__init__(transport, name=name, labels=labels, capacity=capacity, wait=wait)
        self._jobs = Jobs(state_dir)
        self._warm = warm
        self._results = {"APPLIANCE_RESULTS_URL": results_url} if results_url else {}
        self._grace = 10.0
        self._pool: WarmPool | None = None
        self._exits = ExitReports(transport, self._jobs)
        self._watcher = Watcher(self._ended, self.changed.set)

    # --- what the loop asks for

    def open(self) -> None:
        self._pool = _pool() if self._warm else None
        for directory, job, exited in self._jobs.known():
            if exited is not None:
                self._exits.add(directory, job, exited)
            else:
                self._adopt(directory, job)

    def enrolled(self, answer: Enrolled) -> None:
        self._grace = answer.cancel_grace
        self._exits.start(answer.agent_id)

    def close(self) -> None:
        self._watcher.close()
        self._exits.close()
        if self._pool is not None:
            self._pool.close()

    def holding(self) -> list[Held]:
        return [Held(flow_run_id=one.job.flow_run_id, attempt=one.job.attempt) for one in self._watcher.live()]

    def start(self, work: Work) -> None:
        """Raises StartFailed when no process could be made of it."""
        try:
            directory = self._jobs.create(work.flow_run_id, work.attempt)
        except FileExistsError:
            _logger.error(
                "Attempt %d of run %s was started before; it is not started twice.", work.attempt, work.flow_run_id
            )
            return
        except OSError as error:
            raise StartFailed(f"The run's directory can't be made: {error.strerror}.") from error
        crash.point("agent.created")
        watched = self._launch(work, directory)
        crash.point("agent.started")
        try:
            self._jobs.remember(directory, watched.job)
        except OSError as error:  # it runs all the same; only an agent that is restarted would not find it
            _logger.error("The start of run %s could not be written down: %s", work.name, error)
        crash.point("agent.remembered")
        self._watcher.add(watched)
        _logger.info("Run %s (%s) started as process %d.", work.name, work.flow_run_id, watched.job.pid)

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        for watched in self._watcher.live():
            if (watched.job.flow_run_id, watched.job.attempt) == (flow_run_id, attempt):
                if watched.kill_at is None:
                    _logger.info("Run %s is being stopped: %s", flow_run_id, reason)
                    tell_why(watched.directory, reason)
                self._watcher.stop(watched, self._grace)

    def failed_to_start(self, work: Work, reason: str) -> None:
        directory = self._jobs.directory(work.flow_run_id, work.attempt)
        job = Job(flow_run_id=work.flow_run_id, attempt=work.attempt, pid=0, born="", token=work.run_token)
        exited = end_of(job, directory, None, None, reason)
        try:
            self._jobs.remember(directory, job)
            self._jobs.ended(directory, exited)
        except OSError as error:
            _logger.error("The failed start of run %s could not be written down: %s", work.flow_run_id, error)
        self._exits.add(directory, job, exited)

    # --- processes

    def _launch(self, work: Work, directory: Path) -> Watched:
        cwd = _working_directory(work, directory)
        environ = self._environ(work, directory)
        pid, handle, process = None, -1, None
        if self._pool is not None and not work.run_config.get("python"):
            try:
                pid, handle = self._pool.start(environ, cwd, directory / OUTPUT)
            except PoolUnusable as error:
                _logger.info("Run %s starts cold: %s.", work.name, error)
        if pid is None:
            process = _cold(str(work.run_config.get("python") or sys.executable), environ, cwd, directory / OUTPUT)
            pid, handle = process.pid, os.pidfd_open(process.pid)
        job = Job(flow_run_id=work.flow_run_id, attempt=work.attempt, pid=pid, born=born(pid), token=work.run_token)
        return Watched(job, directory, handle, process, warm=process is None)

    def _environ(self, work: Work, directory: Path) -> dict[str, str]:
        """The agent's own environment without the appliance's settings and secrets, where results lie, the flow's additions, and the job."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        wanted = {str(name): str(value) for name, value in (work.run_config.get("env") or {}).items()}
        return {
            **own,
            **crash.handed_on(os.environ),
            **self._results,
            **wanted,
            "APPLIANCE_RUN_ID": str(work.flow_run_id),
            "APPLIANCE_RUN_ATTEMPT": str(work.attempt),
            "APPLIANCE_RUN_TOKEN": work.run_token,
            "APPLIANCE_RUN_DIR": str(directory),
            "APPLIANCE_URL": self._transport.url,
        }

    def _adopt(self, directory: Path, job: Job) -> None:
        """Watch a process of an earlier agent again, or note its end."""
        try:
            handle = os.pidfd_open(job.pid) if job.pid and born(job.pid) == job.born else -1
        except ProcessLookupError:
            handle = -1
        if handle >= 0 and born(job.pid) == job.born:  # still the same after it was opened
            _logger.info("Run %s is still at work as process %d.", job.flow_run_id, job.pid)
            self._watcher.add(Watched(job, directory, handle))
            return
        if handle >= 0:
            os.close(handle)
        self._note(directory, job, None)

    def _ended(self, watched: Watched) -> None:
        status: int | None = None
        if watched.process is not None:
            status = watched.process.wait()
        elif watched.warm and self._pool is not None:
            status = self._pool.status(watched.job.pid, timeout=1.0)
        if status != 0:
            watched.signal_all(signal.SIGKILL)  # what it has started and left behind
        self._note(watched.directory, watched.job, status)

    def _note(self, directory: Path, job: Job, status: int | None) -> None:
        name = signal.Signals(-status).name if status is not None and status < 0 else None
        exited = end_of(job, directory, status if status is None or status >= 0 else None, name)
        _logger.info("The process of run %s has ended with %s.", job.flow_run_id, name or f"exit code {exited.code}")
        try:
            self._jobs.ended(directory, exited)
        except OSError as error:  # it is reported all the same
            _logger.error("The end of run %s could not be written down: %s", job.flow_run_id, error)
        crash.point("agent.ended")
        self._exits.add(directory, job, exited)


def _pool() -> WarmPool | None:
    try:
        return WarmPool()
    except OSError as error:
        _logger.warning("There is no warm pool, so runs start cold: %s", error)
        return None


def _working_directory(work: Work, directory: Path) -> Path:
    """The one that the flow asks for, else where its file lies."""
    asked = work.run_config.get("working_dir")
    if asked:
        if not Path(asked).is_dir():
            raise StartFailed(
                f"The run's working directory {asked} does not exist on this machine; create it or change working_dir."
            )
        return Path(asked)
    path = work.storage.get("path")
    beside = Path(str(path)).parent if path else directory
    return beside if beside.is_dir() else directory


def _cold(python: str, environ: dict[str, str], cwd: Path, output: Path) -> subprocess.Popen[bytes]:
    try:
        with output.open("ab") as file:
            output.chmod(0o600)
            return subprocess.Popen(
                [
                    python,
                    "-P",
                    "-m",
                    "appliance.agents.execute",
                ],  # -P: files beside the flow don't stand in for our imports
                cwd=cwd,
                env={"PYTHONUNBUFFERED": "1", **environ},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StartFailed(f"The run's process could not be started: {error.strerror} ({python}).") from error
