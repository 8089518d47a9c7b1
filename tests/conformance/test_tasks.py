"""One suite for all subjects of the task library: what each does when it is stopped, refused, cut off, or entrusted with a secret."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from appliance.core.flow import Flow
from appliance.core.states import Failed, Running, State, TimedOut
from appliance.core.task import Task
from appliance.core.task_options import FORMS
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.tasks.catalogue import BY_NAME, SUBJECTS, Subject
from appliance.tasks.library import errors
from appliance.tasks.library.task import LibraryTask, TaskOptions
from appliance.testing import log_lines
from tests.chaos.proxy import CUT, PASS, Proxy
from tests.conformance.task_daemons import mariadb
from tests.conformance.task_place import SECRET, VALUE, WRONG, Make, Place
from tests.conformance.task_places import PLACES
from tests.e2e.appliance_process import until
from tests.integration.conftest import postgres_server

__all__ = ["mariadb", "postgres_server"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=PLACES, ids=lambda kind: str(kind.subject))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = request.param(tmp_path, request)
    try:
        yield place
    finally:
        place.close()


def made(make: Make, **options: Any) -> tuple[Flow, Task]:
    with Flow("tested") as flow:
        task = make(name="tested", **options)
    return flow, task


@dataclass
class Outcome:
    """How a task has ended, after how many tries, and what was logged."""

    state: State
    tries: int
    lines: list[str]

    def everything(self) -> str:
        """All that people can see of the task run."""
        chain = [self.state.result] if isinstance(self.state.result, BaseException) else []
        for error in chain:
            context = None if error.__suppress_context__ else error.__context__
            chain += [one for one in (error.__cause__, context) if one is not None]
        texts = [str(self.state.message), repr(self.state.result), repr(self.state.data), *map(repr, chain)]
        return "\n".join([*texts, *self.lines])


def outcome(make: Make, executor: Executor | None = None, secret: str = "", **options: Any) -> Outcome:
    tries = 0

    def count(_task: Any, _old: State, new: State) -> None:
        nonlocal tries
        tries += isinstance(new, Running)

    options["state_handlers"] = [count, *options.get("state_handlers", ())]
    flow, task = made(make, **options)
    with log_lines() as lines:
        final = flow.run(executor=executor, progress=False, context={"secrets": {SECRET: secret}})
    return Outcome(final.result[task], tries, lines.messages)


def shows(done: Outcome, *secrets: str) -> bool:
    return any(secret in done.everything() for secret in secrets)


def test_every_subject_has_a_place() -> None:
    assert {kind.subject for kind in PLACES} == set(BY_NAME)


def test_a_call_goes_well_and_shows_no_secret(place: Place) -> None:
    done = outcome(place.good(), secret=place.value)
    assert done.state.is_successful(), done.state.message
    assert not shows(done, place.value, VALUE)


def test_secrets_of_a_task_are_declared(place: Place) -> None:
    _flow, task = made(place.good())
    uses_some = any(SECRET in repr(vars(task).get(name)) for name in vars(task) if name != "secrets")
    assert (SECRET in task.secrets) == uses_some


@pytest.mark.parametrize("executor", [LocalExecutor, ThreadExecutor, ProcessExecutor])
def test_a_timeout_ends_the_other_side(place: Place, executor: type[Executor]) -> None:
    slow = place.slow()
    if slow is None:
        pytest.skip("nothing of it can take long")
    done = outcome(slow, executor(), secret=place.value, timeout=1.5, max_retries=0)
    assert type(done.state) is TimedOut, done.state
    until("the other side ends", lambda: not place.is_busy(), 15)
    assert not shows(done, place.value, VALUE)


@pytest.mark.parametrize("executor", ["LocalExecutor", "ThreadExecutor", "ProcessExecutor"])
def test_cancelling_a_run_ends_the_other_side(place: Place, executor: str, tmp_path: Path) -> None:
    slow = place.slow()
    if slow is None:
        pytest.skip("nothing of it can take long")
    flow, _task = made(slow)
    file = tmp_path / "flow.pickle"
    file.write_bytes(cloudpickle.dumps(flow))
    code = (
        "import cloudpickle, pathlib, sys\nfrom appliance import executors\n"
        f"flow = cloudpickle.loads(pathlib.Path({str(file)!r}).read_bytes())\n"
        f"if __name__ == '__main__':\n    print(flow.run(executor=executors.{executor}(), progress=False))"
    )
    environment = {**os.environ, f"APPLIANCE_SECRET_{SECRET}": place.value, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdout=-1, stderr=-1) as process:
        try:
            until("the other side is busy", place.is_busy, 30)
            process.send_signal(signal.SIGTERM)
            _output, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 143, said
    until("the other side ends", lambda: not place.is_busy(), 15)


def test_wrong_credentials_are_a_sentence_and_not_retried(place: Place) -> None:
    denied = place.denied()
    if denied is None:
        pytest.skip("it has no credentials")
    done = outcome(denied, secret=place.wrong)
    assert isinstance(done.state.result, errors.AccessDenied), done.state
    assert not shows(done, place.wrong, WRONG)
    assert done.tries == 1
    assert str(done.state.result).endswith(".")


def test_an_unreachable_host_is_a_sentence_and_retried(place: Place) -> None:
    unreachable = place.unreachable()
    if unreachable is None:
        pytest.skip("it reaches no host")
    done = outcome(unreachable, secret=place.value, max_retries=1, retry_delay=0, retry_on=errors.Unreachable)
    assert isinstance(done.state.result, errors.Unreachable), done.state
    assert done.tries == 2
    assert not shows(done, place.value, VALUE)
    assert str(done.state.result).endswith(".")


def test_a_connection_that_is_dropped_once_is_retried(place: Place) -> None:
    if place.target is None:
        pytest.skip("it reaches no host")
    proxy = Proxy(place.target)
    try:
        through = place.through(proxy.port)
        assert through is not None
        proxy.set(CUT)

        def passes_again(_task: Any, _old: State, new: State) -> None:
            if isinstance(new, Failed):
                proxy.set(PASS)

        retries = {"max_retries": 2, "retry_delay": 0, "retry_on": errors.Unreachable}
        done = outcome(through, secret=place.value, state_handlers=[passes_again], **retries)
    finally:
        proxy.close()
    assert done.state.is_successful(), done.state.message
    assert done.tries == 2
    assert not shows(done, place.value, VALUE)


# --- the modules


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_module_has_the_tasks_that_the_catalogue_names(subject: Subject) -> None:
    module = importlib.import_module(subject.module)
    classes = {name: getattr(module, name) for name in module.__all__}
    assert sorted(subject.tasks) == sorted(name for name, one in classes.items() if issubclass(one, LibraryTask))
    for name, one in classes.items():
        assert len(inspect.getdoc(one) or "") > 15, name


def test_every_module_is_in_the_catalogue() -> None:
    files = {path.stem for path in (ROOT / "appliance" / "tasks").glob("*.py")} - {"__init__", "catalogue"}
    assert files == set(BY_NAME)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_an_import_loads_no_client_and_without_the_extra_says_what_to_install(subject: Subject, tmp_path: Path) -> None:
    loaded = _python(
        f"import sys, {subject.module}; print(*[name for name in {subject.libraries!r} if name in sys.modules])"
    )
    assert (loaded.stdout, loaded.returncode) == ("\n", 0), loaded.stderr
    if subject.extra is None:
        return
    refusing = (
        "import sys\nclass R:\n def find_spec(self, name, path=None, target=None):\n"
        f"  if name.partition('.')[0] in {subject.libraries!r}: raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, R())\n"
    )
    refused = _python(f"{refusing}import {subject.module}")
    assert refused.stderr.splitlines()[-1].endswith(f"run: pip install 'appliance-flows[{subject.extra}]'"), (
        refused.stderr
    )


def test_every_extra_of_a_subject_is_one_of_the_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {one.extra for one in SUBJECTS if one.extra is not None} <= set(extras)


def test_type_checkers_know_every_option_of_a_task() -> None:
    assert set(TaskOptions.__annotations__) == set(FORMS)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
