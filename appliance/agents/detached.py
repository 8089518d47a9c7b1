"""What is the same for all agents whose runs outlive them elsewhere, in containers or jobs: preparing, starting, adopting and stopping attempts."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from msgspec.structs import replace

from appliance.agents.agent import WAIT, Agent, Lacking, StartFailed, system_error
from appliance.agents.attempts import AttemptRecord, AttemptStore, exit_report
from appliance.agents.code_cache import CodeCache
from appliance.agents.exit_reports import ExitReports
from appliance.agents.live_attempts import L, Watch
from appliance.agents.preparation import PATIENCE, Preparations, Prepared, RunAccess
from appliance.agents.removals import Removals, Unstarted
from appliance.agents.run_files import cancellation
from appliance.agents.run_keys import RunKeys
from appliance.client import agents
from appliance.client.errors import ClientError
from appliance.client.transport import Transport
from appliance.core import secrets
from appliance.kit import clock, crash, environment_names
from appliance.kit.backoff import delays
from appliance.kit.environment_names import EVERY_ORDINARY, refused_name
from appliance.kit.places import PlaceAway, PlaceRefused
from appliance.packaging.loading import usable
from appliance.protocol import run_config as run_configs
from appliance.protocol import storage as storages
from appliance.protocol.agents import AgentReport, Enrolled, Held, Provided, Work
from appliance.protocol.image_code import DockerCode
from appliance.protocol.run_config import DockerDocument, KubernetesDocument, RunConfigDocument

START_TIMEOUT = 600.0
"""Seconds in which a run has to start, whatever its place is busy with."""
TAIL = 20
"""Lines of output that are kept of an attempt that failed."""
C = TypeVar("C", DockerDocument, KubernetesDocument)
A = TypeVar("A")
_logger = logging.getLogger("appliance.agent")


class AlreadyRunning(Exception):
    """Another agent has the same folder. The message is a sentence."""


@dataclass(frozen=True, kw_only=True)
class PreparedAttempt(Prepared):
    """What is ready to be started elsewhere, as `id`. It is removed if it was not started."""

    id: str
    remove: Callable[[str], None]
    taken: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        if not self.taken.is_set():
            self.remove(self.id)


class DetachedAgent(Agent, Generic[L, C]):
    """Call `run(stop)`, which returns when the event is set. Active runs continue, and the next start adopts them. Subclasses set `_watch`."""

    noun: ClassVar[str]
    """What each run works in: a container, or a job."""
    place: ClassVar[str]
    """What starts it, as the subject of a sentence."""
    document: type[C]
    """The run configs of this kind."""
    _watch: Watch[L]

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        labels: Sequence[str] = (),
        projects: Sequence[str] = (),
        capacity: int = 8,
        state_dir: Path,
        server_url: str = "",
        env: Mapping[str, str] | None = None,
        env_names: Sequence[str] = EVERY_ORDINARY,
        wait: float = WAIT,
        results_url: str = "",
        run_environ: Mapping[str, str] | None = None,
        key: bytes = b"",
        run_keys: RunKeys | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        """`server_url`: where runs reach the server, if that is elsewhere than for the agent; `env`: variables for all runs."""
        super().__init__(transport, name=name, labels=labels, capacity=capacity, wait=wait)
        self._state_dir = state_dir
        self._attempts = AttemptStore(state_dir, key)
        self.projects = list(projects)
        self.env_names: Sequence[str] = env_names
        self.storages = sorted({*usable(), "docker"} - {"local"})
        self._url = server_url or transport.url
        self._settings = {
            **(run_environ or {}),
            **({"APPLIANCE_RESULTS_URL": results_url} if results_url else {}),
            **(env or {}),
        }
        self._results_url = results_url
        self._run_keys = run_keys or RunKeys.here()
        self._grace, self._start_timeout = 10.0, start_timeout
        self._closing = threading.Event()
        self._exits = ExitReports(transport, self._attempts, done=self._clean_up, logs_tail=True)
        self.vitals.exits_waiting = self._exits.waiting
        self._code = CodeCache(state_dir / "code")
        self._preparations = Preparations(self, transport, self.changed.set)
        self._removals = Removals(self._delete)
        self._unsure: list[L] = []  # adopted, and perhaps never started

    # --- what subclasses define

    @abstractmethod
    def prepare(self, work: Work, access: RunAccess) -> PreparedAttempt:
        """Called in a thread of its own. Raises StartFailed, Lacking, NotStarted, LoadError, CodeMissing or Unreachable."""

    @abstractmethod
    def _refusal(self, config: C) -> str:
        """What the run config asks for and this agent does not allow, in a sentence; empty if there is nothing."""

    @abstractmethod
    def _of(self, record: AttemptRecord, directory: Path) -> L:
        """A live attempt."""

    @abstractmethod
    def _release(self, live: L) -> None:
        """Start what was prepared. Raises PlaceAway or PlaceRefused."""

    @abstractmethod
    def _end(self, live: L, reason: str) -> None:
        """Ask it to stop, and end it after the grace period. Raises PlaceAway or PlaceRefused."""

    @abstractmethod
    def _never_started(self, id: str) -> bool:
        """Whether it is there, and was prepared only. Raises PlaceAway or PlaceRefused."""

    @abstractmethod
    def _found(self) -> Iterator[tuple[str, UUID, int]]:
        """The id, run and attempt of all that this agent has there. Raises PlaceAway, PlaceRefused, or ValueError."""

    @abstractmethod
    def _delete(self, id: str) -> None:
        """Remove it, if it is there. Raises PlaceAway or PlaceRefused."""

    # --- called by the loop

    def open(self) -> None:
        """Raises AlreadyRunning."""
        self._lock_folder()
        secrets.hide_all(os.environ)
        if self._run_keys.problem:
            _logger.warning("%s", self._run_keys.problem)
        self._removals.start()
        known = set()
        for directory, record, exited in self._attempts.load():
            known.add(record.identity)
            if exited is not None:
                self._exits.add(directory, record, exited)
            else:
                self._adopt(directory, record)
        self._adopt_unknown(known)
        if self._unsure:
            self._soon(self._drop_unstarted)
        self._watch.start()

    def on_enrol(self, answer: Enrolled) -> None:
        self._grace = answer.cancel_grace
        self._exits.start(answer.agent_id)
        self._preparations.agent_id = answer.agent_id

    def close(self) -> None:
        self._preparations.close()
        self._closing.set()
        self._watch.close()
        self._exits.close()
        self._removals.close()

    def can_start(self) -> bool:
        problems = [text for text in (self._run_keys.problem, self._watch.problem) if text]
        if problems != self.problems:
            self.problems = problems
        return not self._watch.problem

    def holding(self) -> list[Held]:
        preparing = self._preparations.holding()  # asked first: one that starts in the meantime is then in both
        records = [live.record for live in self._watch.live()]
        held = [Held(flow_run_id=record.flow_run_id, attempt=record.attempt) for record in records]
        return held + [each for each in preparing if each not in held]

    @property
    def results_key_id(self) -> str:
        return next(iter(self._run_keys.ids), "")

    @property
    def provided(self) -> Provided:
        return Provided(results_key_ids=self._run_keys.ids)

    def results(self) -> tuple[str, str]:
        return self._results_url, ""

    def start(self, work: Work) -> None:
        """Raises StartFailed, Lacking, or NotStarted."""
        try:
            code = storages.decode(work.storage)
            config = self._config(work, code)
            is_here = isinstance(code, storages.LocalCode) or storages.repository_here(work.storage)
        except ValueError as error:  # from a server that checks less, or doesn't check
            raise StartFailed(str(error)) from error
        if is_here:
            raise Lacking(
                "The code is in files of some machine, from which this agent takes none; register the flow as a bundle, "
                "or install it in the image."
            )
        name = refused_name(config.env, self.env_names)
        if name:
            raise StartFailed(environment_names.refusal(name, "this agent", self.env_names))
        refusal = self._refusal(config)
        if refusal:
            raise Lacking(refusal)
        directory = self._attempts.begin(work)
        if directory is None:
            return
        crash.point("agent.created")
        self._preparations.add(work, directory)

    def start_prepared(self, work: Work, directory: Path, prepared: PreparedAttempt) -> None:
        """Start it, in a thread of its own: a slow engine or cluster must not hold up the agent. Raises StartFailed,
        or NotStarted."""
        live = self._of(_record(work, prepared.id), directory)
        try:
            self._attempts.save(directory, live.record)
        except OSError as error:
            raise system_error("The run's start could not be written to disk", error) from error
        crash.point("agent.remembered")
        prepared.taken.set()
        self._watch.add(live)
        name = f"appliance-start-{work.flow_run_id}"
        threading.Thread(target=self._start_live, args=(work, live), name=name, daemon=True).start()

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        self._preparations.stop(flow_run_id, attempt, reason)
        for live in self._watch.live():
            record = live.record
            if (record.flow_run_id, record.attempt) == (flow_run_id, attempt) and not live.is_stopping:
                live.is_stopping = True
                _logger.info("Stopping run %s: %s", flow_run_id, reason)
                threading.Thread(target=self._stop, args=(live, reason), name="appliance-stop", daemon=True).start()

    def report_failed_start(self, work: Work, reason: str) -> None:
        directory = self._attempts.directory(work.flow_run_id, work.attempt)
        record = _record(work, "")
        exited = exit_report(record, directory, None, None, reason)
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._attempts.save(directory, record)
            self._attempts.save_exit(directory, exited)
        except OSError as error:
            _logger.error("Could not write the failed start of run %s to disk: %s", work.flow_run_id, error)
        self._exits.add(directory, record, exited)

    # --- for subclasses

    def _config(self, work: Work, code: storages.Code) -> C:
        """A run config that any agent can start says nothing of containers or jobs; code in an image says which image. Raises ValueError for one of
        other agents."""
        config = run_configs.decode(work.run_config)
        if type(config) is RunConfigDocument:
            config = self.document(
                env=config.env, labels=config.labels, working_dir=config.working_dir, run_timeout=config.run_timeout
            )
        if not isinstance(config, self.document):
            raise ValueError(f"This agent starts {self.noun}s, and the run config is for another kind of agent.")
        if not isinstance(code, DockerCode):
            return config
        if problem := code.image_problem(config.image):
            raise ValueError(problem)
        folder = config.working_dir or str(PurePosixPath(code.folder, code.path).parent)
        return replace(config, image=code.pinned, working_dir=folder)

    def _create_patiently(self, create: Callable[[], A], access: RunAccess) -> A:
        """What the place creates for an attempt. What it has created although it did not say so is removed before it is created again, and also if it
        is not. Raises PlaceAway, PlaceRefused, or Lacking."""

        def again() -> A:
            self._remove_unstarted(access)
            return create()

        try:
            return self._patiently(create, access, again)
        except (PlaceAway, PlaceRefused, Lacking) as error:
            if not isinstance(error, PlaceRefused) or error.passes:
                self._soon(lambda: self._remove_unstarted(access))
            raise

    def _patiently(self, ask: Callable[[], A], access: RunAccess, there: Callable[[], A] | None = None) -> A:
        """What the place answers, once it is well and has room. `there`: asked instead if it says that it has that already, after an error of its own.
        Raises PlaceAway, PlaceRefused, or Lacking."""
        deadline, pauses, is_said = clock.monotonic() + self._start_timeout, delays(1.0, 15.0), False
        while True:
            try:
                return ask()
            except PlaceRefused as error:
                if error.is_there and is_said and there not in (None, ask):
                    ask = there
                    continue
                if not error.passes or access.stopped.is_set():
                    raise
                sentence = f"{self.place} does not create the run's {self.noun}: {error}"
                if clock.monotonic() > deadline:
                    raise Lacking(f"{sentence} It was tried for {self._start_timeout:.0f} s.") from error
                if not is_said:
                    access.say(f"{sentence} It is tried again.", "WARNING")
                is_said = True
                access.stopped.wait(next(pauses))

    def _remove_unstarted(self, access: RunAccess) -> None:
        """Remove what this agent has there of an attempt, unless it was started. Raises PlaceAway or PlaceRefused."""
        for id, run, attempt in self._found():
            if (run, attempt) == (access.flow_run_id, access.attempt) and self._never_started(id):
                _logger.info("The %s %s of run %s was created without an answer; it is removed.", self.noun, id, run)
                self._delete(id)

    def _remove(self, id: str) -> None:
        """Remove it now, or else as soon as the place answers."""
        try:
            self._delete(id)
        except (PlaceAway, PlaceRefused):
            self._removals.add(id)

    def _soon(self, act: Callable[[], None]) -> None:
        """Do it in a thread of its own, as soon as the place answers."""

        def work() -> None:
            pauses = delays(0.5, 15.0)
            while not self._closing.is_set():
                try:
                    return act()
                except (PlaceAway, PlaceRefused):
                    self._closing.wait(next(pauses))

        threading.Thread(target=work, name="appliance-soon", daemon=True).start()

    def _released(self, live: L) -> bool:
        """Start what was prepared, again and again while the place is away or unwell, unless it is to be stopped. What the place has started is
        not started again, even if its answer was lost. Raises PlaceAway or PlaceRefused."""
        began, pauses, is_first = clock.monotonic(), delays(0.5, 2.0), True
        while not live.is_stopping and not self._closing.is_set():
            try:
                if is_first or self._never_started(live.id):
                    self._release(live)
                return True
            except (PlaceAway, PlaceRefused) as error:
                patience = self._start_timeout if isinstance(error, PlaceAway) else PATIENCE * error.passes
                if clock.monotonic() - began >= patience:
                    raise
                if is_first:
                    _logger.warning("Run %s is not started yet: %s", live.record.flow_run_id, error)
                is_first = False
                self._closing.wait(next(pauses))
        return False

    def _start_live(self, work: Work, live: L) -> None:
        try:
            if self._released(live):
                crash.point("agent.started")
                self.started(work)
                _logger.info("Run %s (%s) started as %s %s.", work.name, work.flow_run_id, self.noun, live.id)
            elif self._closing.is_set():
                return  # the next start drops what was never started
            else:
                live.doubt = "It was stopped before."
        except PlaceAway as error:
            live.doubt = str(error)
        except PlaceRefused as error:
            self._watch.discard(live)
            self.not_started(work, error)
            _logger.error("Run %s could not be started: %s", work.name, error)
            self.report_failed_start(work, f"{self.place} did not start the run's {self.noun}: {error}")
            self._remove(live.id)
        live.start_requested.set()
        self._watch.look_at(live)

    def _stop(self, live: L, reason: str) -> None:
        live.start_requested.wait()
        try:
            self._end(live, cancellation(reason))
        except (PlaceAway, PlaceRefused) as error:  # the server asks again until it has ended
            _logger.warning("Could not stop run %s yet: %s", live.record.flow_run_id, error)
            live.is_stopping = False
        self._watch.look_at(live)

    def _adopt(self, directory: Path, record: AttemptRecord) -> None:
        """Watch an attempt of an earlier agent, unless it was never started. While the place does not answer, that is not known of any."""
        if not record.identity:  # its start had failed, and the report of that is lost
            shutil.rmtree(directory, ignore_errors=True)
            return
        live = self._of(record, directory)
        live.start_requested.set()
        self._watch.add(live)
        self._unsure.append(live)
        if len(self._unsure) == 1:
            try:
                self._drop_unstarted()
            except (PlaceAway, PlaceRefused) as error:
                _logger.warning("%s", error)

    def _drop_unstarted(self) -> None:
        """Drop those that were never started: the server gives their runs to an agent again. Raises PlaceAway or PlaceRefused."""
        while self._unsure:
            live = self._unsure[0]
            if self._never_started(live.id):
                self._watch.discard(live)
                self._remove(live.id)
                shutil.rmtree(live.directory, ignore_errors=True)
            self._unsure.pop(0)

    def _adopt_unknown(self, known: set[str]) -> None:
        """Those whose records are gone, or had not been written. What was never started, and is of no attempt that this folder has, another agent of
        the name may be about to start."""
        others: dict[str, Held] = {}
        try:
            for id, run, attempt in self._found():
                directory = self._attempts.directory(run, attempt)
                if id in known:
                    continue
                if not directory.exists() and self._never_started(id):
                    others[id] = Held(flow_run_id=run, attempt=attempt)
                    continue
                directory.mkdir(mode=0o700, exist_ok=True)
                self._adopt(directory, AttemptRecord(flow_run_id=run, attempt=attempt, pid=0, identity=id))
        except (PlaceAway, PlaceRefused, ValueError, OSError) as error:
            _logger.warning("The %ss of an earlier agent could not be looked for: %s", self.noun, error)
        if others:
            unstarted = Unstarted(others, self._never_started, self._delete, self._given_up, 2 * self._start_timeout)
            self._soon(lambda: unstarted.remove(self._closing))

    def _given_up(self, attempts: list[Held]) -> list[Held]:
        """Those of these attempts that are not this agent's any more, as far as the server can be asked."""
        try:
            agent_id = self._exits.agent_id
            return (
                []
                if agent_id is None
                else agents.report(self._transport, agent_id, AgentReport(started=attempts)).stale
            )
        except ClientError:
            return []

    def _clean_up(self, record: AttemptRecord) -> None:
        """The server knows how the attempt ended."""
        if record.identity:
            self._removals.add(record.identity)

    def _lock_folder(self) -> None:
        """Two agents of one folder would adopt each other's attempts."""
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = os.open(self._state_dir, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._folder)
            raise AlreadyRunning(
                f"Agent {self._name} is running here already; start another with its own --name."
            ) from error


def _record(work: Work, id: str) -> AttemptRecord:
    return AttemptRecord(flow_run_id=work.flow_run_id, attempt=work.attempt, pid=0, identity=id, token=work.run_token)
