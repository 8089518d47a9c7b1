"""The Docker agent: each run is a container, which outlives the agent. What it needs is copied into it, so the engine may be on another machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from appliance.agents import attempt_environment, containers
from appliance.agents.agent import Lacking, NotStarted, StartFailed
from appliance.agents.attempts import OUTPUT, AttemptRecord, exit_report, write
from appliance.agents.container_rules import ContainerRules
from appliance.agents.container_watch import ContainerWatch, LiveContainer
from appliance.agents.detached import TAIL, DetachedAgent, PreparedAttempt
from appliance.agents.preparation import RunAccess
from appliance.agents.run_files import STOP_FILE, USAGE_FILE
from appliance.client.transport import Transport
from appliance.core import secrets
from appliance.engine.output.streams import BOTH
from appliance.engine.tracked.spool import FILE_NAME
from appliance.kit import crash
from appliance.packaging.docker_engine import Engine, EngineAway, EngineRefused
from appliance.protocol import storage as storages
from appliance.protocol.agents import Work
from appliance.protocol.image_code import DockerCode
from appliance.protocol.run_config import DockerDocument

_logger = logging.getLogger("appliance.agent")


class DockerAgent(DetachedAgent[LiveContainer, DockerDocument]):
    """Starts containers of an engine, as far as the rules permit."""

    kind = "docker"
    noun, place = "container", "The Docker engine"
    document = DockerDocument
    _watch: ContainerWatch

    def __init__(
        self, transport: Transport, *, name: str, engine: Engine, rules: ContainerRules, **options: Any
    ) -> None:
        """The options are those of every agent of this family."""
        super().__init__(transport, name=name, **options)
        self._engine, self._rules = engine, rules
        self._own = containers.labels_of_agent(transport.url, name)
        self._watch = ContainerWatch(engine, self._own, self._on_end, self.changed.set)

    def prepare(self, work: Work, access: RunAccess) -> PreparedAttempt:
        registered = storages.decode(work.storage)
        config = self._config(work, registered)
        is_fetched = storages.is_fetched(work.storage)
        code, local_place = self._code.obtain(work.storage, access) if is_fetched else (None, None)
        place = containers.inside(local_place, code) if local_place is not None and code is not None else None
        try:
            if isinstance(registered, DockerCode) and not registered.digest:
                self._patiently(lambda: self._find_image(registered), access)
                config = replace(config, image=registered.id)
            else:
                self._patiently(lambda: self._obtain_image(config, access), access)
            container = self._create_patiently(lambda: self._create(work, config, code, place), access)
        except EngineAway as error:
            raise NotStarted(str(error)) from error
        except EngineRefused as error:
            if error.is_there:
                raise NotStarted(f"There is a container of attempt {work.attempt} already.") from error
            raise StartFailed(f"The Docker engine did not create the run's container: {error}") from error
        return PreparedAttempt(id=container, remove=self._remove)

    def _refusal(self, config: DockerDocument) -> str:
        return self._rules.refusal(config)

    def _of(self, record: AttemptRecord, directory: Path) -> LiveContainer:
        return LiveContainer(record, directory)

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

    def _find_image(self, code: DockerCode) -> None:
        """The image of a flow that was pushed nowhere. Raises Lacking unless it is there under its name, which the rules have allowed."""
        facts = self._engine.image(code.image)
        if facts is None or facts["Id"] != code.id:
            what = "is not on the machine of" if facts is None else "is not the one that was registered, at"
            raise Lacking(
                f"Image {code.image} {what} agent {self._name}: bring it there with `appliance image export` and `appliance image import`, and resume "
                "the run."
            )

    def _create(self, work: Work, config: DockerDocument, code: Path | None, place: dict[str, Any] | None) -> str:
        """Raises EngineAway or EngineRefused."""
        options = containers.configuration(work, config, self._rules, self._own, place)
        networks = containers.networks_of(config, self._rules)
        variables = {
            **secrets.contents(os.environ),
            **crash.forward(os.environ),
            **self._settings,
            **config.env,
            **attempt_environment.variables(work, self._url, containers.RUN_DIR, self._run_keys, hidden=True),
            **({} if code is None else {"APPLIANCE_RUN_CODE_DIR": str(containers.CODE_DIR)}),
        }
        limits = containers.limits(config, self._rules)
        container = self._engine.create(containers.name_of(work), options, limits, networks)
        crash.point("agent.container")
        try:
            self._engine.put(container, "/", containers.files(variables, code, place))
        except BaseException:
            self._remove(container)
            raise
        return container

    def _release(self, live: LiveContainer) -> None:
        self._engine.start(live.id)

    def _end(self, live: LiveContainer, reason: str) -> None:
        self._watch.sample(live)
        self._engine.put(live.id, str(containers.RUN_DIR), containers.single_file(STOP_FILE, reason.encode()))
        self._engine.stop(live.id, self._grace)

    def _never_started(self, id: str) -> bool:
        facts = self._engine.look(id)
        if facts is not None and facts["State"]["Status"] == "running":
            _logger.info("Container %s of an earlier agent is still running.", id[:12])
        return facts is not None and containers.never_started(facts)

    def _found(self) -> Iterator[tuple[str, UUID, int]]:
        for facts in self._engine.containers(self._own):
            run, attempt = containers.attempt_in(facts["Labels"])
            yield facts["Id"], UUID(run), attempt

    def _on_end(self, container: LiveContainer, facts: dict[str, Any] | None) -> None:
        """Keep what a container has left behind and report its end. Raises EngineAway."""
        record, directory = container.record, container.directory
        output = b"" if facts is None else self._engine.output(container.id, TAIL)
        code, name, reason = containers.end_of(facts, output.decode("utf-8", "replace"))
        try:
            if facts is not None:
                self._engine.copy(container.id, str(containers.RUN_DIR / USAGE_FILE), directory / USAGE_FILE)
            if code != 0 and facts is not None:
                write(directory / OUTPUT, output)
                for file in (FILE_NAME, *BOTH):
                    self._engine.copy(container.id, str(containers.RUN_DIR / file), directory / file)
            exited = exit_report(record, directory, code, name, reason, container.used(facts))
            self._attempts.save_exit(directory, exited)
        except OSError as error:  # it is still reported
            _logger.error("Could not write the end of run %s to disk: %s", record.flow_run_id, error)
            exited = exit_report(record, directory, code, name, reason, container.used(facts))
        _logger.info("The container of run %s ended: %s", record.flow_run_id, reason or "exit code 0.")
        crash.point("agent.ended")
        self._exits.add(directory, record, exited)

    def _delete(self, id: str) -> None:
        self._engine.remove(id)
