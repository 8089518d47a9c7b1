"""Every option of every public constructor either has an effect that can be seen or is refused; none is accepted and ignored."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import appliance
from appliance import (
    Blackout,
    Calendar,
    CronClock,
    Flow,
    IntervalClock,
    JSONSerializer,
    LocalExecutor,
    LocalResult,
    LocalRun,
    MemoryResult,
    Parameter,
    PickleSerializer,
    Schedule,
    Task,
    ThreadExecutor,
    UniversalRun,
    adjustments,
    all_failed,
    all_inputs,
    context,
    duration_only,
    filters,
    signals,
    states,
    task,
)
from appliance.core.edge import Edge
from appliance.core.errors import ApplianceError
from appliance.core.serialize import serialize
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.run import run_flow
from appliance.packaging.local import LocalStorage
from appliance.packaging.register import registration

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOON = datetime(2030, 1, 1, tzinfo=UTC)


class Resource:
    def setup(self) -> int:
        return 1

    def cleanup(self, resource: int) -> None: ...


REQUIRED: dict[str, tuple[Any, ...]] = {
    "AzureResult": ("box",),
    "Blackout": ("01:00", "02:00"),
    "CompressedSerializer": (PickleSerializer(),),
    "CronClock": ("0 6 * * *",),
    "CronSchedule": ("0 6 * * *",),
    "DateTimeParameter": ("x",),
    "DatesClock": ([SOON],),
    "DatesSchedule": ([SOON],),
    "EnvVarSecret": ("X",),
    "Flow": ("f",),
    "GCSResult": ("box",),
    "IntervalClock": (HOUR,),
    "IntervalSchedule": (HOUR,),
    "Parameter": ("x",),
    "RRuleClock": ("FREQ=DAILY",),
    "RRuleSchedule": ("FREQ=DAILY",),
    "ResourceManager": (Resource,),
    "RunFlow": ("child",),
    "StartFlowRun": ("child",),
    "S3Result": ("box",),
    "SFTPResult": ("host", "/folder"),
    "Schedule": ([IntervalClock(HOUR)],),
    "Secret": ("X",),
    "SecretTask": ("X",),
    "exponential_backoff": (1,),
    "partial_inputs_only": (["x"],),
    "partial_parameters_only": (["x"],),
    "result_from_url": ("file:///folder",),
}
NOT_CONSTRUCTORS = {
    *("apply_map", "case", "ifelse", "merge", "switch", "flow", "task", "resource_manager", "tags", "get_logger"),
    *("fingerprint", "Result", "Serializer"),
    "ChildRun",  # a result that authors only read
}
ANY_VALUE = {
    "Parameter.default",
    "DateTimeParameter.default",
    *(f"{a}.value" for a in ("mapped", "unmapped", "flatten")),
}


def options_of(function: Callable[..., Any]) -> list[str]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in named]


def public() -> list[tuple[str, str]]:
    """Every constructor that the package exports, with each of its options."""
    found = []
    for name in appliance.__all__:
        made = getattr(appliance, name)
        if not callable(made) or name in NOT_CONSTRUCTORS or not (isinstance(made, type) or name in REQUIRED):
            continue
        found += [(name, option) for option in options_of(made)]
    return found


class Nonsense:
    """Fits no option."""


def make(name: str, /, **options: Any) -> Any:
    """Call a public constructor with these options, and something valid for those that it requires."""
    constructor = getattr(appliance, name)
    required = dict(zip(options_of(constructor), REQUIRED.get(name, ()), strict=False))
    return constructor(**{**required, **options})


@pytest.mark.parametrize(("name", "option"), public(), ids=lambda value: value)
def test_nonsense_is_refused_with_a_sentence(name: str, option: str) -> None:
    if f"{name}.{option}" in ANY_VALUE:
        make(name, **{option: Nonsense()})
        return
    with pytest.raises((TypeError, ValueError, ApplianceError)) as refused:
        make(name, **{option: Nonsense()})
    sentence = str(refused.value)
    assert sentence.endswith((".", ")")), sentence
    assert "'Nonsense' object" not in sentence


@pytest.mark.parametrize("name", sorted({name for name, _option in public()}))
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="nonsense"):
        make(name, nonsense=1)


# --- value objects: each option leaves a trace

HOLIDAYS = Calendar(holidays=["12-25"])
NIGHT = Blackout("01:00", "02:00")
COMMON: dict[str, Any] = {
    "parameters": {"n": 1},
    "labels": ["big"],
    "timezone": "Europe/Berlin",
    "run_config": UniversalRun({"A": "1"}),
}
LIMITS = {"start_date": SOON, "end_date": SOON + DAY}
OF_PROCESSES = {
    "python": "3.12",
    "requirements": ["pandas==2.2.3"],
    "lock": "requirements.lock",
    "limits": {"memory": "2Gi"},
    "user": "etl",
}
OF_CHILDREN = {"version": 3, "labels": ["big"], "run_name": "x"}
PLACE: dict[str, Any] = {"location": "{x}", "serializer": JSONSerializer()}
BUCKET: dict[str, Any] = {"bucket": "other", "prefix": "p", "options": {"a": 1}, "client_options": {"b": 1}, **PLACE}
VALUES: dict[str, dict[str, Any]] = {
    "ApplianceResult": {"project": "sales", **PLACE},
    "AzureResult": BUCKET,
    "Blackout": {"start": "00:30", "end": "03:00", "days": ["MON"]},
    "Calendar": {
        "holidays": ["12-25"],
        "business_days": ["MON"],
        "blackouts": [NIGHT],
        "when_closed": "move",
        "name": "site",
    },
    "CompressedSerializer": {"serializer": JSONSerializer(), "format": "lzma"},
    "CronClock": {"cron": "0 7 * * *", "day_or": False, **COMMON, **LIMITS},
    "DaskExecutor": {
        "address": "tcp://host:8786",
        "cluster_class": "x.Cluster",
        "cluster_kwargs": {"a": 1},
        "adapt_kwargs": {"maximum": 2},
        "client_kwargs": {"b": 1},
        "max_concurrent": 3,
    },
    "DatesClock": {"dates": [date(2031, 1, 1)], **COMMON},
    "DockerRun": {
        "image": "etl:1",
        "command": ["run"],
        "env": {"A": "1"},
        "labels": ["big"],
        "working_dir": "/folder",
        "volumes": ["/data:/data:ro"],
        "networks": ["inner"],
        "memory": "512m",
        "cpus": 0.5,
        "gpus": "all",
        "pids": 512,
        "pull": "always",
    },
    "GCSResult": BUCKET,
    "IntervalClock": {"interval": DAY, **COMMON, **LIMITS},
    "JSONSerializer": {"indent": 2},
    "KubernetesRun": {
        "image": "etl:1",
        "namespace": "flows",
        "env": {"A": "1"},
        "labels": ["big"],
        "job_template": {"kind": "Job", "metadata": {"labels": {"a": "b"}}},
        "working_dir": "/folder",
        "cpu_request": "500m",
        "cpu_limit": "2",
        "memory_request": "1Gi",
        "memory_limit": "2Gi",
        "service_account_name": "runner",
        "image_pull_secrets": ["registry"],
        "image_pull_policy": "Always",
    },
    "LocalResult": {"dir": "/folder", "shared": True, **PLACE},
    "LocalRun": {"env": {"A": "1"}, "labels": ["big"], "working_dir": "/folder", **OF_PROCESSES},
    "MemoryResult": PLACE,
    "PandasSerializer": {"file_type": "json", "write_options": {"a": 1}, "read_options": {"b": 1}},
    "ProcessExecutor": {"max_workers": 3},
    "ProcessRun": {"env": {"A": "1"}, "labels": ["big"], "working_dir": "/folder", **OF_PROCESSES},
    "RRuleClock": {"rrule": "FREQ=WEEKLY", **COMMON, **LIMITS},
    "ResourceManager": {
        "resource_class": type("Other", (Resource,), {}),
        "name": "other",
        "init_task_kwargs": {"name": "a"},
        "setup_task_kwargs": {"name": "b"},
        "cleanup_task_kwargs": {"name": "c"},
    },
    "RunFlow": {"flow": "other", "project": "sales", **OF_CHILDREN, "wait": False},
    "StartFlowRun": {"flow_name": "other", "project_name": "sales", **OF_CHILDREN, "wait": True},
    "S3Result": BUCKET,
    "SFTPResult": {
        "host": "other",
        "path": "/other",
        "port": 23,
        "username": "me",
        "key_filename": "key",
        "known_hosts": "hosts",
        **PLACE,
    },
    "Schedule": {
        "clocks": [CronClock("0 6 * * *")],
        "filters": [filters.is_weekday],
        "or_filters": [filters.is_weekday],
        "not_filters": [filters.is_weekday],
        "adjustments": [adjustments.add(HOUR)],
        "calendar": HOLIDAYS,
    },
    "Secret": {"name": "Y"},
    "ThreadExecutor": {"max_workers": 3},
    "UniversalRun": {"env": {"A": "1"}, "labels": ["big"]},
    "exponential_backoff": {"base": 2, "factor": 3, "limit": 9},
    "partial_inputs_only": {"validate_on": ["y"]},
    "partial_parameters_only": {"validate_on": ["y"]},
    "result_from_url": {"url": "file:///other"},
}
"""A value of each option that differs from its default and from what REQUIRED gives."""
FACTORIES = {
    "CronSchedule": "CronClock",
    "IntervalSchedule": "IntervalClock",
    "DatesSchedule": "DatesClock",
    "RRuleSchedule": "RRuleClock",
}
VALUES |= {
    name: {o: v for o, v in VALUES[clock].items() if o in options_of(getattr(appliance, name))}
    for name, clock in FACTORIES.items()
}


def trace(made: Any) -> Any:
    """What an object keeps, compared by content."""
    if isinstance(made, Schedule):
        return [clock.to_document() for clock in made.clocks]
    for look in ("to_document", "_document"):
        if hasattr(made, look):
            found = getattr(made, look)
            return found() if callable(found) else found
    kept = vars(made) if hasattr(made, "__dict__") else {name: getattr(made, name) for name in made.__slots__}
    return {
        key: trace(value) if isinstance(value, JSONSerializer | PickleSerializer) else value
        for key, value in kept.items()
    }


ELSEWHERE = {"Flow", "Task", "Parameter", "DateTimeParameter", "EnvVarSecret", "SecretTask", "FilterTask"}
"""Options of these have their effects in runs."""


@pytest.mark.parametrize(("name", "option"), public(), ids=lambda value: value)
def test_every_option_is_in_a_table(name: str, option: str) -> None:
    assert name in ELSEWHERE or f"{name}.{option}" in ANY_VALUE or option in VALUES[name]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [(name, option, value) for name, values in VALUES.items() for option, value in values.items()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_leaves_a_trace(name: str, option: str, value: Any) -> None:
    assert trace(make(name, **{option: value})) != trace(make(name))


# --- flows, tasks, parameters and runs: each option has an effect


def run(flow: Flow, **options: Any) -> states.State:
    state = flow.run(**{"progress": False, **options})
    assert state is not None
    return state


def ends(
    fn: Any = lambda: context.task_run_count, upstream: Any = None, flow: dict[str, Any] | None = None, **options: Any
) -> states.State:
    """The state in which a task with these options ends."""
    with Flow("f", **(flow or {})) as built:
        made = task(fn, **options)
        last = made.bind(upstream_tasks=None if upstream is None else [upstream.bind()])
    state: states.State = run(built).result[last]
    return state


def fail() -> None:
    raise ValueError(context.task_run_count)


def skip() -> None:
    raise signals.SKIP


def stored(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def delays(**options: Any) -> float:
    return Task("t", max_retries=2, **options).retry_wait(1, draw=lambda: 0.0).total_seconds()


def wait_in_vain() -> None:
    threading.Event().wait()


def handled(**options: Any) -> bool:
    return ends(fail, **options).is_skipped()


def to_skipped(*arguments: Any) -> Any:
    return states.Skipped() if arguments[-1].is_failed() else None


TASK: dict[str, Callable[[Path], bool]] = {
    "name": lambda _: Task(name="x").name == "x",
    "slug": lambda _: Flow("f", tasks=[Task("t", slug="x")]).get_tasks(slug="x") != [],
    "secrets": lambda _: serialize(Flow("f", tasks=[Task("t", secrets=["A"])]))["secrets"] == ["A"],
    "never_repeat": lambda _: serialize(Flow("f", tasks=[Task("t", never_repeat=True)]))["tasks"][0]["never_repeat"],
    "tags": lambda _: Flow("f", tasks=[Task("t", tags=["x"])]).get_tasks(tags=["x"]) != [],
    "max_retries": lambda _: str(ends(fail, max_retries=2, retry_delay=0).result) == "3",
    "retry_delay": lambda _: (delays(retry_delay=1), delays(retry_delay=HOUR)) == (1, 3600),
    "retry_on": lambda _: str(ends(fail, max_retries=2, retry_delay=0, retry_on=KeyError).result) == "1",
    "retry_jitter": lambda _: delays(retry_delay=10, retry_jitter=0.5) == 5,
    "timeout": lambda _: isinstance(ends(wait_in_vain, timeout=0.01), states.TimedOut),
    "trigger": lambda _: isinstance(ends(upstream=task(fail), trigger=all_failed), states.Success),
    "skip_on_upstream_skip": lambda _: not ends(upstream=task(skip), skip_on_upstream_skip=False).is_skipped(),
    "checkpoint": lambda at: (
        ends(flow={"result": LocalResult(at)}, checkpoint=False).is_successful() and not stored(at)
    ),
    "state_handlers": lambda _: handled(state_handlers=[to_skipped]),
    "on_failure": lambda _: handled(on_failure=to_skipped),
    "task_run_name": lambda _: ends(lambda: context.task_run_name, task_run_name="{flow_name}!").result == "f!",
    "nout": lambda _: _unpacks(),
    "cache_for": lambda _: isinstance(ends(cache_for=HOUR), states.Cached),
    "cache_validator": lambda _: Task("t", cache_for=HOUR, cache_validator=all_inputs).cache_validator is all_inputs,
    "cache_key": lambda at: _shared_cache(at),
    "result": lambda at: ends(result=LocalResult(at)).is_successful() and len(stored(at)) == 1,
    "target": lambda at: ends(result=LocalResult(at), target="here").is_successful() and stored(at) == ["here"],
}


def _unpacks() -> bool:
    with Flow("f"):
        return len(list(task(lambda: (1, 2), nout=2)())) == 2


def _shared_cache(at: Path) -> bool:
    options: dict[str, Any] = {
        "cache_for": HOUR,
        "cache_key": "k",
        "cache_validator": duration_only,
        "result": LocalResult(at),
    }
    return (ends(lambda: 1, name="a", **options).result, ends(lambda: 2, name="b", **options).result) == (1, 1)


@pytest.mark.parametrize("option", [option for option in options_of(Task) if option != "log_stdout"])
def test_each_option_of_a_task_has_an_effect(option: str, tmp_path: Path) -> None:
    assert TASK[option](tmp_path)


@pytest.mark.parametrize("options", [{"log_stdout": True}, {"flow": {"log_stdout": True}}], ids=["task", "flow"])
def test_log_stdout_has_an_effect(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ends(lambda: print("spoken"), **options)
    assert "spoken" in caplog.messages


def _flow(**options: Any) -> Flow:
    with Flow("f", **options) as flow:
        task(fail).bind()
    return flow


def _pair() -> tuple[Task, Task]:
    return Task("a"), Task("b")


def _edges() -> bool:
    first, second = _pair()
    return Flow("f", edges=[Edge(first, second)]).upstream_tasks(second) == [first]


def _reference() -> bool:
    first, second = _pair()
    return Flow("f", tasks=[first, second], reference_tasks=[first]).reference_tasks() == [first]


def _threads() -> bool:
    with Flow("f", executor=ThreadExecutor(max_workers=1)) as flow:
        where = task(lambda: threading.current_thread() is threading.main_thread())()
    return run(flow).result[where].result is False and run(flow, executor=LocalExecutor()).result[where].result is True


def _validated() -> bool:
    first, second = _pair()
    circle = [Edge(first, second), Edge(second, first)]
    Flow("f", edges=circle)
    with pytest.raises(ValueError, match="circle"):
        Flow("f", edges=circle, validate=True)
    return True


def registered(flow: Flow, **options: Any) -> Any:
    return registration(flow, "p", **{"storage": STORAGE, **options})


STORAGE = LocalStorage(Path("/flows.py"), "f", "0" * 64)

FLOW: dict[str, Callable[[Path], bool]] = {
    "name": lambda _: Flow("x").name == "x",
    "schedule": lambda _: registered(_flow(schedule=CronClock("0 6 * * *"))).document["schedules"] != [],
    "executor": lambda _: _threads(),
    "run_config": lambda _: registered(_flow(run_config=LocalRun(labels=["big"]))).labels == ["big"],
    "owner": lambda _: registered(_flow(owner="data-team")).document["owner"] == "data-team",
    "secrets": lambda _: registered(_flow(secrets=["A"])).document["secrets"] == ["A"],
    "run_timeout": lambda _: registered(_flow(run_timeout=60)).document["run_config"]["run_timeout"] == 60,
    "storage": lambda _: registration(_flow(storage=STORAGE), "p").storage == STORAGE.describe(),
    "tasks": lambda _: len(Flow("f", tasks=_pair()).tasks) == 2,
    "edges": lambda _: _edges(),
    "reference_tasks": lambda _: _reference(),
    "state_handlers": lambda _: run(_flow(state_handlers=[to_skipped])).is_skipped(),
    "on_failure": lambda _: run(_flow(on_failure=to_skipped)).is_skipped(),
    "terminal_state_handler": lambda _: run(_flow(terminal_state_handler=lambda *_: states.Success())).is_successful(),
    "result": lambda at: ends(flow={"result": LocalResult(at)}).is_successful() and len(stored(at)) == 1,
    "validate": lambda _: _validated(),
}


@pytest.mark.parametrize(
    "option", [option for option in options_of(Flow) if option not in ("strict_tracking", "log_stdout")]
)
def test_each_option_of_a_flow_has_an_effect(option: str, tmp_path: Path) -> None:
    """Only a tracked run shows the effect of `strict_tracking`: see test_parity."""
    assert FLOW[option](tmp_path)


def _reads(parameter: Callable[[], Parameter], **given: Any) -> Any:
    with Flow("f") as flow:
        last = task(lambda x: x)(parameter())
    return run(flow, **given).result[last].result


PARAMETER: dict[str, Callable[[], bool]] = {
    "name": lambda: _reads(lambda: Parameter("x"), x=1) == 1,
    "default": lambda: _reads(lambda: Parameter("x", default=1)) == 1,
    "required": lambda: _reads(lambda: Parameter("x", required=False)) is None,
    "type": lambda: _reads(lambda: Parameter("x", type=float), x=1) == 1.0,
    "tags": lambda: Parameter("x", tags=["a"]).tags == {"a"},
}


@pytest.mark.parametrize("option", options_of(Parameter))
def test_each_option_of_a_parameter_has_an_effect(option: str) -> None:
    assert PARAMETER[option]()


class Stopped(FlowRunner):
    """A runner that runs nothing."""

    def run(self) -> states.State:
        return states.Cancelled("not today")


def _simple(**options: Any) -> Any:
    with Flow("f", schedule=Schedule([IntervalClock(HOUR, start_date=SOON, end_date=SOON + HOUR)])) as flow:
        n = Parameter("n", default=1)
        read = task(lambda n: (n, context.get("city")))(n)
    state = run(flow, run_on_schedule=False, **options)
    return state.result[read].result if isinstance(state.result, dict) else state


def _on_schedule() -> bool:
    with pytest.raises(ApplianceError, match="no schedule"):
        run(_flow(), run_on_schedule=True)
    return True


RUN: dict[str, Callable[[], bool]] = {
    "parameters": lambda: _simple(parameters={"n": 2}) == (2, None),
    "executor": _threads,
    "run_on_schedule": _on_schedule,
    "context": lambda: _simple(context={"city": "Berlin"}) == (1, "Berlin"),
    "task_states": lambda: _simple(task_states={("<lambda>-1", -1): states.Success(result=7)}) == 7,
    "runner_class": lambda: isinstance(_simple(runner_class=Stopped), states.Cancelled),
}


@pytest.mark.parametrize("option", [o for o in options_of(run_flow) if o not in ("flow", "progress")])
def test_each_option_of_a_run_has_an_effect(option: str) -> None:
    """That of `progress` is tested with the display."""
    assert RUN[option]()


def test_each_option_of_a_registration_has_an_effect() -> None:
    assert registered(_flow(), labels=["big"]).labels == ["big"]
    assert registered(_flow(), set_schedules_active=False).set_schedules_active is False
    assert registered(_flow()).storage == STORAGE.describe()
    for options in ({"labels": "big"}, {"set_schedules_active": "no"}):
        with pytest.raises(TypeError, match=f"{next(iter(options))} must be"):
            registered(_flow(), **options)


def test_a_place_in_memory_is_used() -> None:
    place = MemoryResult(location="here")
    assert ends(result=place).is_successful()
    assert place.has("here")
