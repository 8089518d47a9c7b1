"""The page "Coming from Prefect 1.x" is true: its names exist, its commands parse, and each difference that it claims can be seen."""

from __future__ import annotations

import importlib
import pickle
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
import pandas
import pytest

import appliance
from appliance import (
    DaskExecutor,
    DateTimeParameter,
    Flow,
    JSONSerializer,
    LocalResult,
    PandasSerializer,
    Parameter,
    ProcessExecutor,
    Result,
    Secret,
    SecretTask,
    StartFlowRun,
    Task,
    ThreadExecutor,
    always_run,
    case,
    create_flow_run,
    exponential_backoff,
    flatten,
    ifelse,
    signals,
    states,
    task,
    wait_for_flow_run,
)
from appliance.cli.root import cli
from appliance.core.errors import FlowBuildError, ParameterError, ResultCorruptError, ResultError, TaskDefinitionError
from appliance.core.secrets import declared_by
from appliance.kit.env import SECRET

PAGES = Path(__file__).resolve().parents[2] / "docs" / "pages"
PAGE = (PAGES / "coming-from-prefect.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[tuple[str, str]]:
    """The rows of the tables in a section, without their heads."""
    cells = [
        tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in re.findall(r"^\|.*\|$", text, re.M)
    ]
    return [(row[0], row[1]) for row in cells if len(row) == 2 and row[0] != "Prefect 1.x"]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def is_setting(name: str) -> bool:
    return f"`{name}`" in (PAGES / "settings.md").read_text()


IMPORTS, COMMANDS, SETTINGS = (
    rows(section(title)) for title in ("Imports", "Registering and running", "Configuration and secrets")
)


def test_the_tables_are_read() -> None:
    assert (len(IMPORTS) >= 25, len(COMMANDS) >= 12, len(SETTINGS) >= 10) == (True, True, True)


@pytest.mark.parametrize(("before", "after"), IMPORTS, ids=[before[:50] for before, _after in IMPORTS])
def test_each_import_leads_to_something_that_exists(before: str, after: str) -> None:
    assert all(name.startswith(("prefect", ".")) for name in codes(before))
    names = codes(after)
    assert names or after.startswith("none: ")
    for name in names:
        module, _dot, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_the_modules_by_subject_exist() -> None:
    paragraph = section("Imports").rpartition("\n\n")[2]
    names = [name.removeprefix("appliance") for name in codes(paragraph) if not name.startswith("from ")]
    assert len(names) == 7
    for name in names:
        importlib.import_module(f"appliance{name}")
    exec(next(name for name in codes(paragraph) if name.startswith("from ")).replace("\n", " "), {})


@pytest.mark.parametrize(("before", "after"), COMMANDS, ids=[before[:50] for before, _after in COMMANDS])
def test_each_command_exists_with_its_options(
    before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert before.startswith(("`prefect ", "set "))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").touch()
    for line in codes(after):
        program, *arguments = shlex.split(line.replace("RUN", str(uuid4())).replace("STATE", "Success"))
        if program != "appliance":
            assert line == "python flow.py" or is_setting(line)
            continue
        command: click.Command = cli
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), arguments.pop(0))
            assert found is not None, line
            command = found
        command.make_context("appliance", arguments)  # it parses; nothing is carried out


@pytest.mark.parametrize(("before", "after"), SETTINGS, ids=[before[:50] for before, _after in SETTINGS])
def test_each_setting_exists(before: str, after: str) -> None:
    assert codes(before)[0].startswith("PREFECT__")
    for name in re.findall(r"`(APPLIANCE_[A-Z_]+)`", after):
        assert is_setting(name) or name.startswith(f"{SECRET}_")


# --- the differences, each under its bold title


@task
def give(value: Any = 1) -> Any:
    return value


def built(build: Callable[[], Any]) -> tuple[Flow, Any]:
    with Flow("f") as flow:
        made = build()
    return flow, made


def run(flow: Flow, **options: Any) -> Any:
    state = flow.run(progress=False, **options)
    assert state is not None
    return state.result


def unknown_names() -> None:
    with pytest.raises(TypeError, match="did you mean max_retries"):
        task(lambda: 1, retries=1)
    flow, _made = built(lambda: give(Parameter("x", default=1)))
    with pytest.raises(ParameterError, match="no parameter 'y'"):
        run(flow, parameters={"y": 1})
    with pytest.raises(TypeError, match="executor must be"):
        flow.executor = "threads"


def options_of_run() -> None:
    flow, made = built(lambda: give(1))
    for name in ("state", "task_contexts", "flow_run_id"):
        with pytest.raises(ParameterError):
            run(flow, **{name: "x"})
    with pytest.raises(ParameterError, match="did you mean runner_class"):
        run(flow, runner_cls=object)
    assert run(flow, task_states={made: states.Success(result=7)})[made].result == 7


def drawing(tmp_path: Path) -> None:
    flow, _made = built(lambda: give(1))
    state = flow.run(progress=False)
    flow.visualize(state, filename=tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_text().startswith("<svg")
    assert "give" in flow.visualize(state, format="ascii")


def methods_gone() -> None:
    assert not [name for name in ("run_agent", "diagnostics", "serialize", "serialized_hash") if hasattr(Flow, name)]


def declared_children() -> None:
    with Flow("children"):
        with pytest.raises(TaskDefinitionError):
            create_flow_run(task(lambda: "etl", name="name")())  # type: ignore[arg-type]
        for option in ("flow_id", "context", "run_config", "scheduled_start_time", "idempotency_key"):
            with pytest.raises(TypeError, match=option):
                create_flow_run("etl", **{option: "x"})
        StartFlowRun("etl").map(parameters=[{"n": 1}])
        with pytest.raises(FlowBuildError, match="stream_logs"):
            wait_for_flow_run("x", stream_logs=True)
    with Flow("stranger") as stranger:
        waits = wait_for_flow_run(str(uuid4()))
    assert "No task of this run has started a run with this id" in run(stranger)[waits].message


def text_and_comparisons() -> None:
    with Flow("f"):
        made = give(1)
        with pytest.warns(UserWarning, match="the text contains"):
            assert f"{made}"
        with pytest.warns(UserWarning, match="equals nothing"):
            assert made != 1


def unused() -> None:
    flow, _made = built(lambda: [Task("lost"), give(1)])
    with pytest.warns(UserWarning, match="'lost' was made in flow 'f' but never called"):
        run(flow)


def conditions() -> None:
    with Flow("f"):
        made = give(1)
        for use in (lambda: 1 if made else 2, lambda: 1 in made):
            with pytest.raises(FlowBuildError):
                use()


def strict_branches() -> None:
    def build() -> list[Task]:
        with case(give("a"), "b"):
            late = task(lambda: 1, trigger=always_run, skip_on_upstream_skip=False)()
        listed = task(lambda: 1)()
        ifelse(give(True), None, [listed])  # type: ignore[arg-type,list-item]
        return [late, listed]

    flow, made = built(build)
    assert all(run(flow)[each].is_skipped() for each in made)


def flatten_per_element() -> None:
    def lists(x: int) -> list[int]:
        if x == 2:
            raise signals.SKIP
        return [x, x]

    flow, made = built(lambda: give.map(flatten(task(lists).map([1, 2, 3]))))
    results = [state.result for state in run(flow)[made].map_states if not state.is_skipped()]
    assert results == [1, 1, 3, 3]


def builtins() -> None:
    flow, made = built(lambda: [task(len)("ab"), task(max)(1, 2)])
    assert [run(flow)[each].result for each in made] == [2, 2]


def unpacking() -> None:
    flow, made = built(lambda: list(task(lambda x: (x, -x), nout=2).map([1, 2])))
    assert [run(flow)[each].result for each in made] == [[1, 2], [-1, -2]]


def tags_added() -> None:
    _flow, made = built(lambda: task(lambda: 1, tags=["own"])(task_args={"tags": ["big"]}))
    assert made.tags == {"own", "big"}


def fractions() -> None:
    assert (Task("t", timeout=0.5).timeout, Task("t", timeout=timedelta(seconds=1.5)).timeout) == (0.5, 1.5)


def growth() -> None:
    for delay in (1, [1, 60], exponential_backoff(1, limit=60)):
        assert Task("t", max_retries=9, retry_delay=delay).retry_wait(1).total_seconds() == 1


def types_of_parameters() -> None:
    def count(n: int) -> int:
        return n

    for flow in (
        built(lambda: task(count)(Parameter("n")))[0],
        built(lambda: give(Parameter("n", type=int)))[0],
        built(lambda: give(Parameter("n", default=1)))[0],
    ):
        with pytest.raises(ParameterError, match="valid integer"):
            run(flow, parameters={"n": "many"})


def zones() -> None:
    flow, made = built(lambda: give(DateTimeParameter("at")))
    with pytest.raises(ParameterError):
        run(flow, parameters={"at": "2026-01-31T00:00:00"})
    at = run(flow, parameters={"at": "2026-01-31T01:00:00+01:00"})[made].result
    assert (type(at), at) == (datetime, datetime(2026, 1, 31, tzinfo=UTC))


def copies() -> None:
    values = [1]
    flow, made = built(lambda: task(lambda x: x.append(2) or x)(values))
    assert (run(flow)[made].result, values) == ([1, 2], [1])


def generators() -> None:
    def numbers() -> Any:
        yield from (1, 2)

    with Path(__file__).open() as file:
        flow, made = built(lambda: [task(numbers)(), task(lambda: file)()])
        ends = run(flow)
    assert ends[made[0]].result == [1, 2]
    assert ends[made[1]].is_failed()


def by_position() -> None:
    series = pandas.Series([3, 1], index=[1, 0])
    flow, made = built(lambda: [give.map(series), give.map(pandas.DataFrame({"a": [1]})), give.map({"a": 1})])
    ends = run(flow)
    assert ends[made[0]].result == [3, 1]
    assert ends[made[1]].is_failed()
    assert ends[made[2]].is_failed()


def tables() -> None:
    def build() -> Task:
        with case(task(lambda: pandas.DataFrame({"a": [1]}))(), None):
            return give(1)

    flow, made = built(build)
    assert run(flow)[made].is_skipped()


def context_keys() -> None:
    names = ("config", "project_name")
    flow, made = built(lambda: task(lambda: [name in appliance.context for name in names])())
    assert run(flow)[made].result == [False, False]


def local_ids() -> None:
    names = ("flow_run_id", "flow_run_name", "running_with_backend")
    flow, made = built(lambda: task(lambda: [appliance.context[name] for name in names])())
    run_id, name, tracked = run(flow)[made].result
    assert (bool(run_id), bool(name), tracked) == (True, True, False)


def files_kept(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": [1]}, index=["x"])
    with pytest.raises(ResultError):
        LocalResult(tmp_path, serializer=PandasSerializer("csv")).write(frame)
    place = LocalResult(tmp_path, serializer=JSONSerializer())
    value = (1, datetime(2026, 3, 28, tzinfo=ZoneInfo("Europe/Berlin")))
    assert repr(place.read(place.write(value).location)) == repr(value)


def a_place_is_enough(tmp_path: Path) -> None:
    with Flow("f", result=LocalResult(tmp_path)) as flow:
        give(1)
    run(flow)
    assert list(tmp_path.rglob("*.pickle"))


def caches(tmp_path: Path) -> None:
    code = """
import sys
from datetime import timedelta
from appliance import Flow, LocalResult, task

@task(cache_for=timedelta(hours=1))
def work():
    print("worked")

with Flow("f", result=LocalResult(sys.argv[1])) as flow:
    work()
flow.run(progress=False)
"""
    file = tmp_path / "flow.py"
    file.write_text(code.replace("print", "import builtins; builtins.print"))
    command = [sys.executable, str(file), str(tmp_path / "results")]
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout for _ in range(2)]
    assert outputs == ["worked\n", ""]


def results_checked(tmp_path: Path) -> None:
    with Flow("f", result=LocalResult(tmp_path, location="one")) as flow:
        made = give(1)
    stored = run(flow)[made]
    (tmp_path / "one").write_bytes(pickle.dumps(2))
    with pytest.raises(ResultCorruptError):
        LocalResult(tmp_path).read("one", stored.data["result_sha256"])
    with Flow("f", result=LocalResult(tmp_path, location="../out")) as outside:
        last = give(1)
    assert isinstance(run(outside)[last].result, ResultError)


def read_returns_the_value(tmp_path: Path) -> None:
    place = LocalResult(tmp_path)
    stored = place.write([1, 2])
    assert place.read(stored.location) == [1, 2]
    assert Result.__abstractmethods__ == {"address", "put", "get", "has"}


def processes() -> None:
    for executor in (ProcessExecutor, ThreadExecutor):
        executor(max_workers=1)
        with pytest.raises(TypeError, match="num_workers"):
            executor(**{"num_workers": 1})


def dask_options() -> None:
    for name in ("debug", "performance_report_path", "watch_worker_status"):
        with pytest.raises(TypeError, match=name):
            DaskExecutor(**{name: None})


def two_more_states() -> None:
    assert issubclass(states.Crashed, states.Failed)
    assert issubclass(states.Late, states.Scheduled)


def states_are_values() -> None:
    state: Any = states.Success("done")
    with pytest.raises(AttributeError):
        state.message = "changed"


def dict_of_reference_tasks() -> None:
    seen: list[Any] = []
    flow, made = built(lambda: give(1))
    flow.terminal_state_handler = lambda _flow, _state, references: seen.append(references)
    state = run(flow)[made]
    assert seen == [{made: state}]
    assert all(one.is_successful() for one in seen[0].values())


def restarts_bounded() -> None:
    def again(_task: Any, _old: Any, new: Any) -> None:
        if new.is_failed():
            raise signals.RETRY

    flow, made = built(lambda: task(lambda: 1 / 0, state_handlers=[again])())
    state = run(flow)[made]
    assert state.is_failed()
    assert "10,000" in str(state.message)


def secrets_are_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_X", "42")
    flow, made = built(lambda: task(lambda: (Secret("X").get(), Secret("x").get(as_json=True)))())
    assert run(flow)[made].result == ("42", 42)


def secrets_are_declared() -> None:
    flow, _ = built(lambda: (SecretTask("A")(), task(lambda: Secret("B").get())(), task(secrets=["C"])(lambda: 1)()))
    assert declared_by(flow) == ("A", "C")


CLAIMS: dict[str, Callable[..., None]] = {
    "Unknown names are rejected.": unknown_names,
    "`flow.run` has other options.": options_of_run,
    "Drawing needs no Graphviz.": drawing,
    "Some methods are gone.": methods_gone,
    "A child flow is declared.": declared_children,
    "Text and comparisons warn.": text_and_comparisons,
    "Unused tasks warn.": unused,
    "Conditions are rejected.": conditions,
    "Branches are strict.": strict_branches,
    "`flatten` is per element.": flatten_per_element,
    "Builtins can be tasks.": builtins,
    "Unpacking a mapped task is per element.": unpacking,
    "Tags in `task_args` are added.": tags_added,
    "Timeouts keep fractions.": fractions,
    "Retry delays can grow.": growth,
    "Parameters have types.": types_of_parameters,
    "Times have a zone.": zones,
    "Arguments are copies.": copies,
    "Generators become lists.": generators,
    "Mapping is by position.": by_position,
    "Tables are compared as wholes.": tables,
    "The context has no configuration.": context_keys,
    "Local runs have an id.": local_ids,
    "Files keep what was written.": files_kept,
    "A place is enough to store results.": a_place_is_enough,
    "Caches outlive the process.": caches,
    "Results are checked.": results_checked,
    "`read` returns the value.": read_returns_the_value,
    "Processes are real ones.": processes,
    "Some Dask options are missing.": dask_options,
    "Two states are new.": two_more_states,
    "States can't be changed.": states_are_values,
    "`terminal_state_handler` gets a dict.": dict_of_reference_tasks,
    "Restarts are bounded.": restarts_bounded,
    "Secrets are texts.": secrets_are_texts,
    "Secrets on the server are declared.": secrets_are_declared,
}


def test_every_difference_on_the_page_is_checked() -> None:
    assert re.findall(r"^- \*\*(.+?)\*\*", section("What is different"), re.M) == list(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_difference_is_as_the_page_says(claim: str, request: pytest.FixtureRequest) -> None:
    check = CLAIMS[claim]
    names = check.__code__.co_varnames[: check.__code__.co_argcount]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(**{name: request.getfixturevalue(name) for name in names})
