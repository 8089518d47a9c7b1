"""The Docker agent: each run is a container, which outlives the agent. What it needs is copied into it, so the engine may be on another machine."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.agents import attempt_environment, containers
from appliance.agents.agent import WAIT, Agent, Lacking, NotStarted, StartFailed, system_error
from appliance.agents.attempts import OUTPUT, AttemptRecord, AttemptStore, exit_report, write
from appliance.agents.code_cache import CodeCache
from appliance.agents.container_rules import ContainerRules
from appliance.agents.container_watch import ContainerWatch, LiveContainer
from appliance.agents.docker_engine import Engine, EngineAway, EngineRefused
from appliance.agents.exit_reports import ExitReports
from appliance.agents.preparation import Preparations, Prepared, RunAccess
from appliance.agents.run_files import STOP_FILE
from appliance.agents.run_keys import RunKeys
from appliance.client.transport import Transport
from appliance.core import secrets
from appliance.engine.output.streams import BOTH
from appliance.engine.tracked.spool import FILE_NAME
from appliance.kit import crash, environment_names
from appliance.kit.environment_names import EVERY_ORDINARY, refused_name
from appliance.packaging.loading import usable
from appliance.protocol import run_config as run_configs
from appliance.protocol import storage as storages
from appliance.protocol.agents import Enrolled, Held, Provided, Work
from appliance.protocol.run_config import DockerDocument, RunConfigDocument

_TAIL = 20
_logger = logging.getLogger("appliance.agent")


class AlreadyRunning(Exception):
    """Another agent has the same folder. The message is a sentence."""


@dataclass(frozen=True, kw_only=True)
class PreparedContainer(Prepared):
    """A container that is ready to be started. It is removed if it was not."""

    engine: Engine
    id: str
    taken: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        if not self.taken.is_set():
            _remove(self.engine, self.id)


class DockerAgent(Agent):
    """Call `run(stop)`, which returns when the event is set. Active runs continue, and the next start adopts them."""

    kind = "docker"

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        labels: Sequence[str] = (),
        projects: Sequence[str] = (),
        capacity: int = 8,
        state_dir: Path,
        engine: Engine,
        rules: ContainerRules,
        server_url: str = "",
        env: Mapping[str, str] | None = None,
        env_names: Sequence[str] = EVERY_ORDINARY,
        wait: float = WAIT,
        results_url: str = "",
        run_environ: Mapping[str, str] | None = None,
        key: bytes = b"",
        run_keys: RunKeys | None = None,
    ) -> None:
        """`server_url`: where containers reach the server, if that is elsewhere than for the agent; `env`: variables for every container."""
        super().__init__(transport, name=name, labels=labels, capacity=capacity, wait=wait)
        self._state_dir = state_dir
        self._attempts = AttemptStore(state_dir, key)
        self.projects = list(projects)
        self.env_names: Sequence[str] = env_names
        self.storages = [name for name in usable() if name != "local"]
        self._engine, self._rules = engine, rules
        self._url = server_url or transport.url
        self._settings = {
            **(run_environ or {}),
            **({"APPLIANCE_RESULTS_URL": results_url} if results_url else {}),
            **(env or {}),
        }
        self._results_url = results_url
        self._run_keys = run_keys or RunKeys.here()
        self._grace = 10.0
        self._own = containers.labels_of_agent(transport.url, name)
        self._exits = ExitReports(transport, self._attempts, done=self._clean_up, logs_tail=True)
        self.vitals.exits_waiting = self._exits.waiting
        self._watch = ContainerWatch(engine, self._own, self._on_end, self.changed.set)
        self._code = CodeCache(state_dir / "code")
        self._preparations = Preparations(self, transport, self.changed.set)

    # --- called by the loop

    def open(self) -> None:
        """Raises AlreadyRunning."""
        self._lock_folder()
        secrets.hide_all(os.environ)
        if self._run_keys.problem:
            _logger.warning("%s", self._run_keys.problem)
        known = set()
        for directory, record, exited in self._attempts.load():
            known.add(record.identity)
            if exited is not None:
                self._exits.add(directory, record, exited)
            else:
                self._adopt(directory, record)
        self._adopt_by_label(known)
        self._watch.start()

    def on_enrol(self, answer: Enrolled) -> None:
        self._grace = answer.cancel_grace
        self._exits.start(answer.agent_id)
        self._preparations.agent_id = answer.agent_id

    def close(self) -> None:
        self._preparations.close()
        self._watch.close()
        self._exits.close()

    def can_start(self) -> bool:
        problems = [text for text in (self._run_keys.problem, self._watch.problem) if text]
        if problems != self.problems:
            self.problems = problems
        return not self._watch.problem

    def holding(self) -> list[Held]:
        preparing = self._preparations.holding()  # asked first: one that starts in the meantime is then in both
        records = [container.record for container in self._watch.live()]
        live = [Held(flow_run_id=record.flow_run_id, attempt=record.attempt) for record in records]
        return live + [held for held in preparing if held not in live]

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
            config = _for_docker(run_configs.decode(work.run_config))
            is_here = isinstance(storages.decode(work.storage), storages.LocalCode) or storages.repository_here(
                work.storage
            )
        except ValueError as error:  # from a server that checks less, or doesn't check
            raise StartFailed(str(error)) from error
        if is_here:
            raise Lacking(
                "The code is in files of some machine, and Docker agents take none from there; register the flow as a bundle, or install it in the image."
            )
        name = refused_name(config.env, self.env_names)
        if name:
            raise StartFailed(environment_names.refusal(name, "this agent", self.env_names))
        refusal = self._rules.refusal(config)
        if refusal:
            raise Lacking(refusal)
        directory = self._attempts.begin(work)
        if directory is None:
            return
        crash.point("agent.created")
        self._preparations.add(work, directory)

    def prepare(self, work: Work, access: RunAccess) -> PreparedContainer:
        """Called in a thread of its own. Raises StartFailed, Lacking, NotStarted, LoadError, CodeMissing or Unreachable."""
        config = _for_docker(run_configs.decode(work.run_config))
        is_fetched = storages.is_fetched(work.storage)
        code, local_place = self._code.obtain(work.storage, access) if is_fetched else (None, None)
        place = containers.inside(local_place, code) if local_place is not None and code is not None else None
        try:
            self._obtain_image(config, access)
            container = self._create(work, config, code, place)
        except EngineAway as error:
            raise NotStarted(str(error)) from error
        except EngineRefused as error:
            raise StartFailed(f"The Docker engine did not create the run's container: {error}") from error
        return PreparedContainer(engine=self._engine, id=container)

    def start_prepared(self, work: Work, directory: Path, prepared: PreparedContainer) -> None:
        """Start the container, in a thread of its own: a slow engine must not hold up the agent. Raises StartFailed, or NotStarted."""
        container = LiveContainer(_record(work, prepared.id), directory)
        try:
            self._attempts.save(directory, container.record)
        except OSError as error:
            raise system_error("The run's start could not be written to disk", error) from error
        crash.point("agent.remembered")
        prepared.taken.set()
        self._watch.add(container)
        name = f"appliance-start-{work.flow_run_id}"
        threading.Thread(target=self._start_container, args=(work, container), name=name, daemon=True).start()

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        self._preparations.stop(flow_run_id, attempt, reason)
        for container in self._watch.live():
            record = container.record
            if (record.flow_run_id, record.attempt) == (flow_run_id, attempt) and not container.is_stopping:
                container.is_stopping = True
                _logger.info("Stopping run %s: %s", flow_run_id, reason)
                threading.Thread(
                    target=self._stop, args=(container, reason), name="appliance-stop", daemon=True
                ).start()

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

    # --- images and containers

    def _obtain_image(self, config: DockerDocument, access: RunAccess) -> None:
        """Raises Lacking, EngineAway or EngineRefused."""
        image, pull = config.image or self._rules.image, self._rules.pull_of(config)
        is_there = self._engine.has_image(image)
        if pull == "never" or (pull == "missing" and is_there):
            if not is_there:
                raise Lacking(
                    f"Image {image} is not on the machine of agent {self._name}, which pulls none; load it there, and resume the run."
                )
            return
        access.say(f"The agent pulls image {image}.")
        try:
            self._engine.pull(image, lambda: not access.stopped.is_set())
        except EngineRefused as error:
            raise Lacking(f"Image {image} could not be pulled: {error}") from error

    def _create(self, work: Work, config: DockerDocument, code: Path | None, place: dict[str, Any] | None) -> str:
        """Raises NotStarted, EngineAway or EngineRefused."""
        options = containers.configuration(work, config, self._rules, self._own, place)
        networks = containers.networks_of(config, self._rules)
        variables = {
            **secrets.contents(os.environ),
            **crash.forward(os.environ),
            **self._settings,
            **config.env,
            **attempt_environment.variables(work, self._url, containers.RUN_DIR, self._run_keys, hidden=True),
            **({} if place is None else {"APPLIANCE_RUN_CODE_DIR": str(containers.CODE_DIR)}),
        }
        try:
            container = self._engine.create(
                containers.name_of(work), options, containers.limits(config, self._rules), networks
            )
        except EngineRefused as error:
            if error.status == 409:
                raise NotStarted(f"There is a container of attempt {work.attempt} already.") from error
            raise
        crash.point("agent.container")
        try:
            self._engine.put(container, "/", containers.files(variables, code, place))
        except BaseException:
            _remove(self._engine, container)
            raise
        return container

    def _start_container(self, work: Work, container: LiveContainer) -> None:
        try:
            if not container.is_stopping:
                self._engine.start(container.id)
                crash.point("agent.started")
                self.started(work)
                _logger.info("Run %s (%s) started as container %s.", work.name, work.flow_run_id, container.id[:12])
            else:
                container.doubt = "It was stopped before."
        except EngineAway as error:
            container.doubt = str(error)
        except EngineRefused as error:
            self._watch.discard(container)
            self.not_started(work, error)
            _logger.error("Run %s could not be started: %s", work.name, error)
            self.report_failed_start(work, f"The Docker engine did not start the run's container: {error}")
            _remove(self._engine, container.id)
        container.start_requested.set()
        self._watch.look_at(container)

    def _stop(self, container: LiveContainer, reason: str) -> None:
        container.start_requested.wait()
        text = reason if reason.startswith("Cancelled") else f"Cancelled: {reason}"
        try:
            self._engine.put(container.id, str(containers.RUN_DIR), containers.single_file(STOP_FILE, text.encode()))
            self._engine.stop(container.id, self._grace)
        except (EngineAway, EngineRefused) as error:  # the server asks again until it has ended
            _logger.warning("Could not stop run %s yet: %s", container.record.flow_run_id, error)
            container.is_stopping = False
        self._watch.look_at(container)

    def _adopt(self, directory: Path, record: AttemptRecord) -> None:
        """Watch a container of an earlier agent. One that was never started is dropped: the server gives the run to an agent again."""
        container = LiveContainer(record, directory)
        container.start_requested.set()
        try:
            facts = self._engine.look(record.identity) if record.identity else None
        except (EngineAway, EngineRefused) as error:
            _logger.warning("%s", error)
            self._watch.add(container)
            return
        if facts is not None and containers.never_started(facts):
            _remove(self._engine, record.identity)
            shutil.rmtree(directory, ignore_errors=True)
            return
        if facts is not None and facts["State"]["Status"] == "running":
            _logger.info("Run %s is still running as container %s.", record.flow_run_id, record.identity[:12])
        self._watch.add(container)

    def _adopt_by_label(self, known: set[str]) -> None:
        """Those whose records are gone, or had not been written."""
        try:
            for facts in self._engine.containers(self._own):
                if facts["Id"] not in known:
                    run, attempt = containers.attempt_in(facts["Labels"])
                    record = AttemptRecord(flow_run_id=UUID(run), attempt=attempt, pid=0, identity=facts["Id"])
                    directory = self._attempts.directory(record.flow_run_id, attempt)
                    directory.mkdir(mode=0o700, exist_ok=True)
                    self._adopt(directory, record)
        except (EngineAway, EngineRefused, ValueError, OSError) as error:
            _logger.warning("Containers of an earlier agent could not be looked for: %s", error)

    def _on_end(self, container: LiveContainer, facts: dict[str, Any] | None) -> None:
        """Keep what a container has left behind and report its end. Raises EngineAway."""
        record, directory = container.record, container.directory
        output = b"" if facts is None else self._engine.output(container.id, _TAIL)
        code, name, reason = containers.end_of(facts, output.decode("utf-8", "replace"))
        try:
            if code != 0 and facts is not None:
                write(directory / OUTPUT, output)
                for file in (FILE_NAME, *BOTH):
                    self._engine.copy(container.id, str(containers.RUN_DIR / file), directory / file)
            exited = exit_report(record, directory, code, name, reason)
            self._attempts.save_exit(directory, exited)
        except OSError as error:  # it is still reported
            _logger.error("Could not write the end of run %s to disk: %s", record.flow_run_id, error)
            exited = exit_report(record, directory, code, name, reason)
        _logger.info("The container of run %s ended: %s", record.flow_run_id, reason or "exit code 0.")
        crash.point("agent.ended")
        self._exits.add(directory, record, exited)

    def _clean_up(self, record: AttemptRecord) -> None:
        """The server knows how the attempt ended."""
        if record.identity:
            _remove(self._engine, record.identity)

    def _lock_folder(self) -> None:
        """Two agents of one folder would adopt each other's containers."""
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = os.open(self._state_dir, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._folder)
            raise AlreadyRunning(
                f"Agent {self._name} is running here already; start another with its own --name."
            ) from error


def _for_docker(config: RunConfigDocument) -> DockerDocument:
    """A run config that any agent can start says nothing of containers. Raises ValueError for one of other agents."""
    if isinstance(config, DockerDocument):
        return config
    if type(config) is not RunConfigDocument:
        raise ValueError("This agent starts containers, and the run config is for another kind of agent.")
    return DockerDocument(
        env=config.env, labels=config.labels, working_dir=config.working_dir, run_timeout=config.run_timeout
    )


def _record(work: Work, container: str) -> AttemptRecord:
    return AttemptRecord(
        flow_run_id=work.flow_run_id, attempt=work.attempt, pid=0, identity=container, token=work.run_token
    )


def _remove(engine: Engine, container: str) -> None:
    """What can't be removed now is removed after the agent's next start."""
    try:
        engine.remove(container)
    except (EngineAway, EngineRefused) as error:
        _logger.warning("Container %s is still there: %s", container[:12], error)
