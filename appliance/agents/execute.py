"""The process of one run: `python -m appliance.agents.execute`, or `main()` in a fork of the warm pool.

It asks whether it may begin, loads the flow, runs it with the tracked runners, and exits when the server knows how it ended.
Exit codes: 0 the final state was reported (even if the run failed), 75 another attempt took over, 76 the server could not be
reached for too long, 143 its pod was ended by somebody else than its agent, which tells the server.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import msgspec

from appliance import config
from appliance.agents import own_code, usage
from appliance.agents.code_usage import in_use
from appliance.agents.patience import PatientLine
from appliance.agents.run_artifacts import RunArtifacts
from appliance.agents.run_files import CODE_FILE, EXIT_FILE, HANDED, NEWER, STOP_FILE, cancellation
from appliance.agents.run_keys import HandedKey
from appliance.agents.run_results import RunDoor
from appliance.agents.run_secrets import asker
from appliance.client import run_protocol as runs
from appliance.client.errors import ClientError, Forbidden, NotFound, Refused, StaleAttempt, Unauthenticated
from appliance.client.transport import Transport
from appliance.core import artifacts, child_flows, flow_file, secrets, served_secrets
from appliance.core.logs import get_logger
from appliance.core.states import Cancelled, Failed, Paused, State
from appliance.engine import failures
from appliance.engine.process_exit import end_user_code, leave
from appliance.engine.progress import start_line
from appliance.engine.results import doors
from appliance.engine.tracked.child_runs import TrackedChildren
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.logs import RunLog, reported
from appliance.engine.tracked.reporter import Reporter
from appliance.engine.tracked.slots import TaskSlots
from appliance.engine.tracked.spool import FILE_NAME
from appliance.kit import clock, crash, hidden_memory, lifecycle, logs, process_limits
from appliance.kit.backoff import delays
from appliance.kit.errors import ApplianceError
from appliance.packaging.loading import load_flow
from appliance.packaging.storage import CodeMissing, LoadError, identity
from appliance.protocol.run_protocol import Begun

DONE, REPLACED, AWAY, TERMINATED = 0, 75, 76, 143
PATIENCE = 15 * 60.0
LAST_WORDS = 5.0
"""Seconds in which a pod that is being ended asks the server whether that is on request."""

_IN_CONTAINER = "APPLIANCE_RUN_IN_CONTAINER"
_ON_REQUEST = "Cancelled on request."
_GONE = (StaleAttempt, Unauthenticated, Forbidden, NotFound)
_logger = get_logger()


class Assignment(msgspec.Struct, frozen=True):
    """The attempt that the agent assigned to this process in its environment."""

    flow_run_id: UUID
    attempt: int
    token: str
    url: str
    directory: Path
    code: str
    """The identity of the storage from which its code comes, as the agent has checked it; empty from an agent before an upgrade."""
    code_dir: Path | None = None
    """The folder with its code, if the agent has fetched it."""
    in_container: bool = False
    handed: Path | None = None
    """In a pod, the folder of what the agent has put there."""
    results_key: HandedKey = HandedKey()

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Assignment:
        """Read the environment, and remove the token and the key: programs that a task starts don't need them."""
        return cls(
            flow_run_id=UUID(environ["APPLIANCE_RUN_ID"]),
            attempt=int(environ["APPLIANCE_RUN_ATTEMPT"]),
            token=environ.pop("APPLIANCE_RUN_TOKEN"),
            url=environ["APPLIANCE_URL"],
            directory=Path(environ["APPLIANCE_RUN_DIR"]),
            code=environ.get("APPLIANCE_RUN_CODE", ""),
            code_dir=Path(environ["APPLIANCE_RUN_CODE_DIR"]) if "APPLIANCE_RUN_CODE_DIR" in environ else None,
            handed=Path(environ[HANDED]) if HANDED in environ else None,
            in_container=bool(environ.pop(_IN_CONTAINER, "")),
            results_key=HandedKey.take(environ),
        )


class Stopping:
    """A request to stop, from the server's answer or SIGTERM. It interrupts the main thread once."""

    def __init__(self, directory: Path, is_in_pod: bool = False) -> None:
        self.reason: str | None = None
        self.is_unasked = False
        """Whether a pod was ended, and the server is not known to have asked for that."""
        self._directory, self._is_in_pod = directory, is_in_pod
        self.runner: TrackedFlowRunner | None = None
        self._interruptible = False

    def listen(self) -> None:
        lifecycle.start_afresh()
        lifecycle.on_signal(signal.SIGTERM, self._on_signal)
        lifecycle.on_signal(signal.SIGINT, _ignore)  # not SIG_IGN, which programs that a task starts would inherit

    def ask(self, reason: str) -> None:
        """Request a stop, from any thread."""
        if self.is_unasked:  # it is stopping already, and did not know why
            self.reason, self.is_unasked = reason, False
        elif self.reason is None:
            self.reason = reason
            os.kill(os.getpid(), signal.SIGTERM)  # the handler runs in the main thread and interrupts it

    def wait(self, seconds: float) -> None:
        """Sleep, but return early if a stop is requested: Python itself resumes a sleep after a signal whose handler doesn't raise."""
        until = clock.monotonic() + seconds
        while self.reason is None and (left := until - clock.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    def run(self, runner: TrackedFlowRunner) -> State:
        """Run the flow. From now on until it ends, a stop interrupts it."""
        self.runner = runner
        if self.reason is not None:
            runner.cancel(self.reason)
        self._interruptible = self.reason is None
        try:
            return runner.run()
        except KeyboardInterrupt:  # raised outside of tasks; inside, the engine turns it into Cancelled
            runner.change(Cancelled(self.reason))
            return runner.state
        finally:
            self._interruptible = False
            self.runner = None  # the signal handler would keep the flow's objects alive

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.is_unasked = self._is_in_pod and self.reason is None
        self.reason = self.reason or (_ON_REQUEST if self._is_in_pod else _stop_reason(self._directory))
        if self.runner is not None:
            self.runner.cancel(self.reason)
        if self._interruptible:
            self._interruptible = False
            raise KeyboardInterrupt


def main() -> int:
    """Run the attempt that the environment describes. Returns the exit code of the process."""
    if os.environ.pop("APPLIANCE_RUN_HIDDEN", ""):
        hidden_memory.hide()
    crash.arm_from(os.environ)
    crash.point("runner.start")
    assignment = Assignment.take(os.environ)
    process_limits.apply(json.loads(os.environ.pop("APPLIANCE_RUN_LIMITS", "{}")))
    secrets.hide_all(os.environ)
    logs.configure()
    stopping = Stopping(assignment.directory, assignment.handed is not None)
    stopping.listen()
    code = nullcontext() if assignment.code_dir is None else in_use(assignment.code_dir)
    with code, Transport(assignment.url, assignment.token, tries=1) as transport:
        begun, exit_code = _begin(assignment, transport, stopping)
        if begun is not None:
            exit_code = _run(assignment, transport, begun, stopping)
    crash.point("runner.done")
    _note_end(assignment, exit_code)
    return exit_code


def _begin(assignment: Assignment, transport: Transport, stopping: Stopping) -> tuple[Begun | None, int]:
    """Wait until the server allows the attempt to begin. Otherwise, the first item is None and the second the exit code."""
    deadline = clock.monotonic() + PATIENCE
    pauses = delays(0.1, 2.0)
    while stopping.reason is None:
        try:
            begun = runs.begin(transport, assignment.flow_run_id, assignment.attempt)
        except _GONE:
            return None, REPLACED
        except ClientError as error:
            if assignment.in_container and isinstance(error, Refused) and error.code == "newer_client":
                _logger.error("%s", error)  # elsewhere, a server that is being upgraded is waited for
                return None, NEWER
            if clock.monotonic() > deadline:
                _logger.error("%s", error)
                return None, AWAY
            stopping.wait(next(pauses))
            continue
        if begun.verdict == "go":
            return begun, DONE
        if begun.verdict == "refused":
            return None, DONE
        deadline = clock.monotonic() + PATIENCE
        stopping.wait(max(0.05, begun.retry_after))
    return None, DONE  # cancelled before it began: the agent reports the exit, and the server knows the rest


def _run(assignment: Assignment, transport: Transport, begun: Begun, stopping: Stopping) -> int:
    def on_dead(reason: str) -> None:
        """The results of this attempt are no longer needed: stop at once, whatever the tasks are doing."""
        _logger.error("This attempt of the run is stopped: %s", reason)
        _note_end(assignment, REPLACED)
        leave(REPLACED)

    reporter = Reporter(
        lambda report: runs.report(transport, assignment.flow_run_id, report),
        assignment.attempt,
        assignment.directory / FILE_NAME,
        last_seq=begun.last_seq,
        heartbeat_interval=begun.heartbeat_interval,
        limited_tags=begun.limited_tags,
        on_cancel=lambda reason: stopping.ask(cancellation(reason)),
        on_dead=on_dead,
    )
    reporter.start()
    settings, problem = _log_settings()
    with reported(reporter, settings, assignment.directory) as log:
        if problem:
            _logger.warning("%s This run uses the defaults.", problem)
        children = TrackedChildren(
            transport, assignment.flow_run_id, assignment.attempt, server_starts_runs=begun.starts_runs
        )
        slots = TaskSlots(
            lambda request: runs.slots(transport, assignment.flow_run_id, request), assignment.attempt, reporter
        )
        door = RunDoor(
            assignment.url,
            assignment.token,
            assignment.flow_run_id,
            assignment.attempt,
            stopping,
            assignment.results_key,
        )
        doors.connect(door)
        line = PatientLine(assignment.url, assignment.token, stopping)
        made = RunArtifacts(line, assignment.flow_run_id, assignment.attempt)
        artifacts.connect(made.take if begun.makes_artifacts else None)
        ask = asker(transport, assignment.flow_run_id, assignment.attempt, stopping)
        final = _run_flow(assignment, begun, reporter, log, slots, children, stopping, ask)

        def cut(sentence: str) -> None:
            _logger.warning("%s", sentence)
            log.finish()
            code = _report_end(reporter, final, stopping)
            _note_end(assignment, code)
            leave(code)

        end_user_code(lambda: stopping.reason is not None, cut)
        log.finish()
    return _report_end(reporter, final, stopping)


def _report_end(reporter: Reporter, final: State, stopping: Stopping) -> int:
    if stopping.is_unasked:
        reporter.settle(LAST_WORDS, lambda: not stopping.is_unasked)
        if stopping.is_unasked:
            return TERMINATED
    if isinstance(final, Cancelled) and final.message == _ON_REQUEST:  # in the meantime, the server may have said why
        final = Cancelled(stopping.reason)
    reporter.flow_state(final)
    return DONE if reporter.close(PATIENCE) else AWAY


def _log_settings() -> tuple[config.RunLogSettings, str]:
    """How the run logs, and what is wrong with the settings, since a mistake in them must not end the run."""
    try:
        return config.run_log(os.environ), ""
    except config.SettingsError as error:
        return config.RunLogSettings(), str(error)


def _run_flow(
    assignment: Assignment,
    begun: Begun,
    reporter: Reporter,
    log: RunLog,
    slots: TaskSlots,
    children: TrackedChildren,
    stopping: Stopping,
    ask_secret: Callable[[str], str],
) -> State:
    """Load and run the flow. Returns its final state."""
    crash.point("runner.begun")
    try:
        runner = _load(assignment, begun, reporter, stopping, ask_secret)
        runner.slots, runner.log = slots, log
        if any(isinstance(task, child_flows.ChildTask) for task in runner.flow.tasks):
            runner.children = children
            child_flows.connect(children)
        served_secrets.connect(ask_secret, secrets.declared_by(runner.flow))
    except CodeMissing as error:  # it was there when the agent looked
        log.finish()
        _logger.warning("%s", error)
        return Paused(str(error), data={"waits_for": "code"})
    except (LoadError, ApplianceError) as error:
        cause = error.__cause__
        trace = failures.describe(cause).get("traceback") if cause is not None else None
        log.finish()
        _logger.error("%s%s", error, f"\n{trace}" if trace else "")
        return Failed(str(error), data={"traceback": trace} if trace else {})
    _logger.info("%s", start_line(runner.flow))
    started_at = clock.monotonic()
    try:
        state = stopping.run(runner)
        log.finish()
    except BaseException as error:
        log.finish()
        _logger.exception("The run was aborted by an unexpected error.")
        return failures.failed_state(error)
    duration = clock.monotonic() - started_at
    _logger.log(
        logging.ERROR if state.is_failed() else logging.INFO, "Flow %r %s after %.2f s: %s. %s",
        runner.flow.name, "ended" if state.is_finished() else "stopped", duration, type(state).__name__, state.message,
    )  # fmt: skip
    return runner.final or state


def _load(
    assignment: Assignment, begun: Begun, reporter: Reporter, stopping: Stopping, ask_secret: Callable[[str], str]
) -> TrackedFlowRunner:
    check_place(assignment, begun.storage)
    storage = begun.storage if assignment.code_dir is None else _fetched(assignment)
    if assignment.handed is not None:
        with Transport(assignment.url, assignment.token) as transport:
            access = own_code.OwnAccess(
                transport=transport,
                flow_run_id=assignment.flow_run_id,
                attempt=assignment.attempt,
                run_token=assignment.token,
                ask=ask_secret,
                wait=stopping.wait,
            )
            storage = own_code.obtain(storage, assignment.directory, assignment.handed, access)
    path = storage.get("path", "")
    sys.argv = [str(Path(storage.get("folder", ""), path)) if path else ""]  # as if the file had been run
    sys.modules["__main__"] = importlib.import_module(flow_file.MAIN)
    runner = TrackedFlowRunner(
        load_flow(storage),
        reporter,
        parameters=begun.parameters,
        context=begun.context,
        flow_run_id=str(assignment.flow_run_id),
        flow_run_name=begun.flow_run_name,
        scheduled_start_time=begun.scheduled_time,
    )
    runner.longest_wait = begun.longest_wait
    runner.go_on_from(begun.tasks)
    return runner


def _fetched(assignment: Assignment) -> dict[str, Any]:
    """Where the agent has put the code that it has fetched and compared."""
    try:
        place: dict[str, Any] = msgspec.json.decode((assignment.directory / CODE_FILE).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise LoadError("The code of the run is gone from its agent's machine; restart the run.") from error
    return place


def check_place(assignment: Assignment, storage: dict[str, Any]) -> None:
    """Raises LoadError if the server names another place of the code than the agent has checked."""
    if assignment.code not in ("", identity(storage)):
        raise LoadError(
            "The server names another place of the code than the agent has checked, so nothing of it was run."
        )


def _stop_reason(directory: Path) -> str:
    """The agent's reason for sending SIGTERM. If there is none, someone else sent it."""
    try:
        return (directory / STOP_FILE).read_text(encoding="utf-8") or "Cancelled."
    except OSError:
        return "Cancelled: the process was asked to stop."


def _note_end(assignment: Assignment, code: int) -> None:
    """Write what the process has used, and its exit code, for an agent that can't get them from the system."""
    usage.write(assignment.directory, in_container=assignment.in_container)
    try:
        (assignment.directory / EXIT_FILE).write_text(str(code), encoding="ascii")
    except OSError as error:
        _logger.warning("Could not write the exit code to disk: %s", error)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C on a terminal is meant for the agent, whose runs continue."""


def _take_environment(handed: str) -> None:
    """The variables from the agent, which are not to be seen from outside: in an open file without a name, or in a container, in a file that is
    removed, in addition to the variables of the image. In a pod, the file can't be removed."""
    with os.fdopen(int(handed), "rb") if handed.isdigit() else Path(handed).open("rb") as file:
        variables = json.loads(file.read())
    if handed.isdigit():
        os.environ.clear()
    else:
        if HANDED not in variables:
            Path(handed).unlink()
        variables[_IN_CONTAINER] = "1"
    os.environ.update(variables)
    time.tzset()


if __name__ == "__main__":
    _take_environment(sys.argv[1])
    leave(main())
