"""The process agent: each run is a separate process on this machine, in its own session, and outlives the agent."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from appliance.agents import attempt_environment, cgroups, cold_start, out_of_memory, result_probe, run_places
from appliance.agents.agent import WAIT, Agent, Lacking, NotStarted, StartFailed, system_error
from appliance.agents.attempts import (
    OUTPUT,
    AttemptRecord,
    AttemptStore,
    exit_report,
    files_of,
    process_identity,
    recorded_exit_code,
    recorded_usage,
    write,
    write_stop_reason,
)
from appliance.agents.cgroups import Cgroups
from appliance.agents.code_cache import CodeCache
from appliance.agents.environment_folder import Environment
from appliance.agents.environment_pools import EnvironmentPools
from appliance.agents.environments import NO_ENVIRONMENTS, EnvironmentFailed, EnvironmentRules, Environments
from appliance.agents.exit_reports import ExitReports
from appliance.agents.installers import Stopped
from appliance.agents.key_exposure import exposure
from appliance.agents.preparation import Preparations, Prepared, RunAccess
from appliance.agents.provisions import Provisions
from appliance.agents.result_sweep import ResultSweep
from appliance.agents.roots import Roots
from appliance.agents.run_files import CODE_FILE
from appliance.agents.run_keys import RunKeys
from appliance.agents.run_users import Account, RunUsers
from appliance.agents.usage import UNKNOWN, Ended
from appliance.agents.warm_pool import PoolUnusable, WarmPool
from appliance.agents.watch import LiveProcess, Watcher
from appliance.client.transport import Transport
from appliance.core import secrets
from appliance.core.errors import ResultError
from appliance.engine.results.addresses import result_from_url
from appliance.engine.results.folder_identity import identity_of
from appliance.engine.results.local import LocalResult
from appliance.kit import crash, environment_names, process_limits
from appliance.kit.environment_names import EVERY_ORDINARY, refused_name
from appliance.packaging.loading import code_problem
from appliance.protocol import run_config as run_configs
from appliance.protocol import storage as storages
from appliance.protocol.agents import Enrolled, Held, Provided, Work
from appliance.protocol.fetched_code import FetchedCode
from appliance.protocol.run_config import ProcessDocument, RunConfigDocument

_logger = logging.getLogger("appliance.agent")


@dataclass(frozen=True, kw_only=True)
class PreparedProcess(Prepared):
    """What a run's process needs. `code`: the folder with code that was fetched; `place`: its description as code on this machine; `environment`: the
    Python that starts it, if not the agent's, and `pool` the starter for that, if there is one."""

    code: Path | None = None
    place: dict[str, Any] | None = None
    environment: Environment | None = None
    pool: WarmPool | None = None

    def close(self) -> None:
        """Once the process was started, which holds the environment itself, or was not."""
        if self.environment is not None:
            self.environment.release()


class ProcessAgent(Agent):
    """Call `run(stop)`, which returns when the event is set. Active runs continue, and the next start adopts them."""

    kind = "process"

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        labels: Sequence[str] = (),
        projects: Sequence[str] = (),
        capacity: int = 8,
        state_dir: Path,
        roots: Roots,
        env_names: Sequence[str] = EVERY_ORDINARY,
        warm: bool = True,
        wait: float = WAIT,
        results_url: str = "",
        run_environ: Mapping[str, str] | None = None,
        python: str = sys.executable,
        hidden: bool = False,
        key: bytes = b"",
        environments: EnvironmentRules | None = None,
        run_keys: RunKeys | None = None,
        users: Sequence[str] = (),
    ) -> None:
        """`run_keys`: by default, those from the key that the environment of this process names."""
        super().__init__(transport, name=name, labels=labels, capacity=capacity, wait=wait)
        self._attempts = AttemptStore(state_dir, key)
        self.projects = list(projects)
        self.roots: Roots = roots
        self.env_names: Sequence[str] = env_names
        self._warm = warm
        self._python = python
        self._hidden = hidden
        self._settings = dict(run_environ or {}) | ({"APPLIANCE_RESULTS_URL": results_url} if results_url else {})
        self._grace = 10.0
        self._pool: WarmPool | None = None
        self._cgroups: Cgroups | None = None
        self._exits = ExitReports(transport, self._attempts)
        self.vitals.exits_waiting = self._exits.waiting
        self._watcher = Watcher(self._on_exit, self.changed.set)
        self._code = CodeCache(state_dir / "code")
        self._environments = Environments(state_dir / "environments", environments or NO_ENVIRONMENTS)
        self._users = RunUsers(users)
        self._environment_pools = EnvironmentPools(hidden=hidden)
        self._preparations = Preparations(self, transport, self.changed.set)
        self._results_url = results_url
        self._run_keys = run_keys or RunKeys.here()
        self._provisions = Provisions(self._environments, self._users, self._run_keys)
        place = _folder_of(results_url)
        self._sweep = None if place is None else ResultSweep(transport, place.folder, self._active_runs)

    # --- called by the loop

    def open(self) -> None:
        secrets.hide_all(os.environ)
        self.problems = [*self.problems, *self._users.problems()]
        self._provisions.start()
        if self._results_url:
            result_probe.start(self._results_url, self._has_problem)
        for problem in filter(None, (self._run_keys.problem, exposure(self._run_keys, self._users.accounts))):
            _logger.warning("%s", problem)
            self._has_problem(problem)
        self._cgroups = cgroups.delegated()
        self._pool = _pool(self._hidden) if self._warm and self._users.default is None else None
        for directory, record, exited in self._attempts.load():
            if exited is not None:
                self._exits.add(directory, record, exited)
            else:
                self._adopt(directory, record)

    def _has_problem(self, problem: str) -> None:
        self.problems = [*self.problems, problem]

    def on_enrol(self, answer: Enrolled) -> None:
        self._grace = answer.cancel_grace
        self._exits.start(answer.agent_id)
        self._preparations.agent_id = answer.agent_id
        if self._sweep is not None:
            self._sweep.start(answer.agent_id)

    def close(self) -> None:
        self._provisions.close()
        self._preparations.close()
        self._watcher.close()
        self._exits.close()
        if self._sweep is not None:
            self._sweep.close()
        if self._pool is not None:
            self._pool.close()
        self._environment_pools.close()

    def holding(self) -> list[Held]:
        preparing = self._preparations.holding()  # asked first: one that starts in the meantime is then in both
        records = [process.record for process in self._watcher.live()]
        live = [Held(flow_run_id=record.flow_run_id, attempt=record.attempt) for record in records]
        return live + [held for held in preparing if held not in live] if preparing else live

    def code_problem(self, work: Work) -> str:
        try:
            if run_places.refusal(self.roots, work.storage):
                return ""  # it is not looked for; starting it says why
        except ValueError:
            return ""
        if work.storage.get("type") == "module" and any(map(work.run_config.get, ("python", "requirements"))):
            return ""  # the run looks for it in its own environment
        return code_problem(work.storage)

    @property
    def results_key_id(self) -> str:
        return next(iter(self._run_keys.ids), "")

    @property
    def provided(self) -> Provided:
        return self._provisions.current

    def results(self) -> tuple[str, str]:
        place = _folder_of(self._results_url)
        if place is None:
            return self._results_url, ""
        return place.address, "" if place.shared else identity_of(place.folder)

    def start(self, work: Work) -> None:
        """Raises StartFailed if its process could not be started, Lacking, or NotStarted."""
        directory = self._attempts.begin(work)
        if directory is None:
            return
        crash.point("agent.created")
        try:
            config = run_configs.decode(work.run_config)
            place = storages.decode(work.storage)
        except ValueError as error:  # from a server that checks less, or doesn't check
            raise StartFailed(str(error)) from error
        refused = run_places.refusal(self.roots, work.storage)
        if refused:
            raise StartFailed(refused)
        name = refused_name(config.env, self.env_names)
        if name:
            raise StartFailed(environment_names.refusal(name, "this agent", self.env_names))
        try:
            account = self._permitted(config)
        except Lacking:  # it may come back for another try
            shutil.rmtree(directory, ignore_errors=True)
            raise
        if account is not None:
            self._give(directory, account)
        if isinstance(place, FetchedCode) or run_configs.environment_of(config) is not None:
            self._preparations.add(work, directory)
            return
        try:
            self._start_process(work, config, directory, PreparedProcess())
        except NotStarted:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def prepare(self, work: Work, access: RunAccess) -> PreparedProcess:
        """Called in a thread of its own. Raises StartFailed, LoadError, CodeMissing or Unreachable."""
        is_fetched = storages.is_fetched(work.storage)
        folder, place = self._code.obtain(work.storage, access) if is_fetched else (None, None)
        config = run_configs.environment_of(run_configs.decode(work.run_config))
        if config is None:
            return PreparedProcess(code=folder, place=place)
        account = self._account(config)
        environment = self._environment(config, access, account)
        visible = _in_environment(self._inherited(), environment)
        is_warm = self._warm and account is None
        pool = self._environment_pools.obtain(environment, visible) if is_warm else None
        note = f"Started in environment {environment.record}."
        return PreparedProcess(code=folder, place=place, environment=environment, pool=pool, note=note)

    def _environment(self, config: ProcessDocument, access: RunAccess, account: Account | None) -> Environment:
        """The environment that a run config asks for. Raises StartFailed, or Lacking if it can't be built."""
        try:
            return self._environments.obtain(
                config.python,
                config.requirements,
                access.say,
                lambda: not access.stopped.is_set(),
                account,
            )
        except EnvironmentFailed as error:
            for line in error.detail.splitlines():
                access.say(line, "ERROR")
            raise Lacking(str(error)) from error
        except Stopped as error:
            raise StartFailed("Its start was stopped.") from error

    def start_prepared(self, work: Work, directory: Path, prepared: PreparedProcess) -> None:
        """Start what was prepared. Raises StartFailed, or NotStarted."""
        self._start_process(work, run_configs.decode(work.run_config), directory, prepared)

    def _start_process(self, work: Work, config: RunConfigDocument, directory: Path, prepared: PreparedProcess) -> None:
        process = self._launch(work, config, directory, prepared)
        crash.point("agent.started")
        if self._cgroups is not None:  # before anything notices its end
            self._cgroups.add(process.record)
        try:
            self._attempts.save(directory, process.record)
        except OSError as error:  # the run continues, but a restarted agent would not find it
            _logger.error("Could not write the start of run %s to disk: %s", work.name, error)
        crash.point("agent.remembered")
        self._watcher.add(process)
        self.started(work)
        _logger.info("Run %s (%s) started as process %d.", work.name, work.flow_run_id, process.record.pid)

    def stop_run(self, flow_run_id: UUID, attempt: int, reason: str) -> None:
        self._preparations.stop(flow_run_id, attempt, reason)
        for process in self._watcher.live():
            if (process.record.flow_run_id, process.record.attempt) == (flow_run_id, attempt):
                if process.kill_at is None:
                    _logger.info("Stopping run %s: %s", flow_run_id, reason)
                    write_stop_reason(process.directory, reason)
                self._watcher.stop(process, self._grace)

    def report_failed_start(self, work: Work, reason: str) -> None:
        directory = self._attempts.directory(work.flow_run_id, work.attempt)
        record = _record(work, pid=0)
        exited = exit_report(record, directory, None, None, reason)
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self._attempts.save(directory, record)
            self._attempts.save_exit(directory, exited)
        except OSError as error:
            _logger.error("Could not write the failed start of run %s to disk: %s", work.flow_run_id, error)
        self._exits.add(directory, record, exited)

    def _active_runs(self) -> set[UUID]:
        return {held.flow_run_id for held in self.holding()}

    # --- processes

    def _launch(self, work: Work, config: RunConfigDocument, directory: Path, prepared: PreparedProcess) -> LiveProcess:
        account, files, environment = self._account(config), files_of(directory), prepared.environment
        cwd = run_places.working_directory(prepared.place or work.storage, config, files, self.roots)
        limits = run_configs.limits_of(config)
        environ = self._environ(work, config, files, account) | _code(files, prepared)
        pool = self._pool if account is None else None
        python, visible, held = self._python, self._inherited(account), []
        if environment is not None:
            python, pool, held = str(environment.python), prepared.pool, [environment.held]
            visible, environ = _in_environment(visible, environment), _in_environment(environ, environment)
        if pool is not None:
            try:
                pid, handle = pool.start(environ, cwd, files / OUTPUT)
                return LiveProcess(_record(work, pid, limits), directory, handle, pool=pool)
            except PoolUnusable as error:
                _logger.info("Run %s starts cold: %s.", work.name, error)
        folders = {} if account is None else _reached(work, files, prepared, _folder_of(self._results_url))
        child = cold_start.start(python, environ, cwd, files / OUTPUT, visible, held, account=account, **folders)
        return LiveProcess(_record(work, child.pid, limits), directory, os.pidfd_open(child.pid), child)

    def _permitted(self, config: RunConfigDocument) -> Account | None:
        """The account as which a run will work. Raises Lacking for what this agent doesn't give it."""
        excess = process_limits.excess(run_configs.limits_of(config))
        if excess:
            raise Lacking(excess)
        return self._account(config)

    def _account(self, config: RunConfigDocument) -> Account | None:
        """The account as which a run works, if not the agent's. Raises Lacking."""
        user = run_configs.user_of(config) or self._users.default
        return None if user is None else self._users.account(user)

    def _give(self, directory: Path, account: Account) -> None:
        try:
            self._attempts.give(directory, account.ids)
        except OSError as error:
            raise system_error(f"The run's directory can't be given to user {account.name}", error) from error

    def _environ(
        self, work: Work, config: RunConfigDocument, directory: Path, account: Account | None
    ) -> dict[str, str]:
        """The agent's own environment without the appliance's settings, plus those of runs, secrets, the flow's variables, and the attempt."""
        return {
            **self._inherited(account),
            **secrets.variables(os.environ),
            **crash.forward(os.environ),
            **self._settings,
            **config.env,
            **attempt_environment.variables(work, self._transport.url, directory, self._run_keys, hidden=self._hidden),
            **({"APPLIANCE_RUN_LIMITS": json.dumps(limits)} if (limits := run_configs.limits_of(config)) else {}),
        }

    def _inherited(self, account: Account | None = None) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        return own if account is None else account.variables(own)

    def _adopt(self, directory: Path, record: AttemptRecord) -> None:
        """Watch a process of an earlier agent, or record its exit."""
        try:
            is_same = record.pid and process_identity(record.pid) == record.identity
            handle = os.pidfd_open(record.pid) if is_same else -1
        except ProcessLookupError:
            handle = -1
        if handle >= 0 and process_identity(record.pid) == record.identity:  # still the same after opening the handle
            _logger.info("Run %s is still running as process %d.", record.flow_run_id, record.pid)
            self._watcher.add(LiveProcess(record, directory, handle))
            return
        if handle >= 0:
            os.close(handle)
        self._record_exit(directory, record, None)

    def _on_exit(self, process: LiveProcess) -> None:
        how: Ended | None = None
        if process.child is not None:
            how = process.reap()
        elif process.pool is not None:
            how = process.pool.ended(process.record.pid, timeout=1.0)
        self._record_exit(process.directory, process.record, how, process)

    def _record_exit(
        self, directory: Path, record: AttemptRecord, how: Ended | None, process: LiveProcess | None = None
    ) -> None:
        code = recorded_exit_code(directory) if how is None else how.status
        name = signal.Signals(-code).name if code is not None and code < 0 else None
        was_stopped = process is not None and process.kill_at is not None
        ending = None
        if self._cgroups is not None:
            ending = self._cgroups.end(record, clean=code == 0 and not was_stopped)
        used = (ending and ending.used) or recorded_usage(directory) or (how.used if how is not None else UNKNOWN)
        reason = ""
        if (name == "SIGKILL" or code is None) and not was_stopped:
            kills_before = process.oom_kills if process is not None and name is not None else None
            reason = out_of_memory.reason(ending, record.limits, kills_before)
        exited = exit_report(record, directory, None if name else code, name, reason, used)
        _logger.info("The process of run %s ended with %s.", record.flow_run_id, name or f"exit code {exited.code}")
        try:
            self._attempts.save_exit(directory, exited)
        except OSError as error:  # it is still reported
            _logger.error("Could not write the exit of run %s to disk: %s", record.flow_run_id, error)
        crash.point("agent.ended")
        self._exits.add(directory, record, exited)


def _folder_of(results_url: str) -> LocalResult | None:
    """The folder that is the default place for results; None if that is elsewhere, or the address is wrong, which the runs say."""
    try:
        place = result_from_url(results_url) if results_url else None
    except ResultError:
        return None
    return place if isinstance(place, LocalResult) else None


def _pool(hidden: bool) -> WarmPool | None:
    try:
        return WarmPool(hidden=hidden)
    except OSError as error:
        _logger.warning("Could not start the warm pool; runs start cold: %s", error)
        return None


def _in_environment(environ: Mapping[str, str], environment: Environment) -> dict[str, str]:
    """The variables of a process in an environment, where no path of the agent's own modules may lead."""
    kept = {name: value for name, value in environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return kept | environment.variables()


def _code(directory: Path, prepared: PreparedProcess) -> dict[str, str]:
    """Tell the run's process where its code is, if that was fetched. Raises StartFailed, or NotStarted."""
    if prepared.code is None:
        return {}
    try:
        write(directory / CODE_FILE, msgspec.json.encode(prepared.place))
    except OSError as error:
        raise system_error("The run's directory can't be written to", error) from error
    return {"APPLIANCE_RUN_CODE_DIR": str(prepared.code)}


def _reached(work: Work, files: Path, prepared: PreparedProcess, results: LocalResult | None) -> dict[str, Any]:
    """What a run that works as an account needs to reach, and the file that it must be able to read."""
    places = [files, *([prepared.code] if prepared.code else [])]
    places += [] if prepared.environment is None else prepared.environment.places()
    places += [] if results is None else [results.folder]
    return {"needed": places, "code": None if prepared.code else work.storage.get("path")}


def _record(work: Work, pid: int, limits: Mapping[str, int] | None = None) -> AttemptRecord:
    return AttemptRecord(
        flow_run_id=work.flow_run_id,
        attempt=work.attempt,
        pid=pid,
        identity=process_identity(pid) if pid else "",
        limits=dict(limits or {}),
        token=work.run_token,
    )
