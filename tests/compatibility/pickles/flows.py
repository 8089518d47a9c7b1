"""Flows that use much of the SDK, as a user writes them: run as a script, so that their code goes along into what is saved.

`save_into(folder)` writes them with `flow.save`, beside what they are and what comes of running them.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import appliance
from appliance import (
    Blackout,
    Calendar,
    CompressedSerializer,
    CronClock,
    CronSchedule,
    DaskExecutor,
    DatesClock,
    DateTimeParameter,
    EnvVarSecret,
    FilterTask,
    Flow,
    GCSResult,
    IntervalClock,
    JSONSerializer,
    LocalExecutor,
    LocalResult,
    LocalRun,
    MemoryResult,
    PandasSerializer,
    Parameter,
    PickleSerializer,
    ProcessExecutor,
    RRuleClock,
    S3Result,
    Schedule,
    Secret,
    SecretTask,
    SFTPResult,
    Task,
    ThreadExecutor,
    UniversalRun,
    adjustments,
    apply_map,
    case,
    context,
    exponential_backoff,
    filters,
    fingerprint,
    flatten,
    flow,
    get_logger,
    ifelse,
    merge,
    partial_inputs_only,
    partial_parameters_only,
    resource_manager,
    result_from_url,
    signals,
    some_failed,
    some_successful,
    states,
    switch,
    tags,
    task,
    triggers,
    unmapped,
)

DAY = datetime(2026, 3, 2, tzinfo=UTC)


class Row:
    """A value of a user's class."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)


def on_change(_task, _old, new):
    """Sees every state."""
    if isinstance(new, states.Failed):
        get_logger().warning("failed: %s", new.message)
    return new


def failed(_task, _state):
    """Hears of failures."""


def name_of_run(**names):
    """A name made of the arguments."""
    return f"add-{names.get('x')}"


def is_even(number):
    """Keeps even numbers."""
    return number % 2 == 0


def newest(state, _inputs, _parameters):
    """A validator of a user's own."""
    return isinstance(state, states.Cached)


def finish(_flow, state, _states):
    """Looks at how the flow ended."""
    return state


@task(max_retries=2, retry_delay=exponential_backoff(1), retry_jitter=0.1, retry_on=ConnectionError)
def numbers(n: int) -> list[int]:
    """As many numbers."""
    get_logger().info("%d numbers in %s", n, context.flow_name)
    return list(range(n))


@task(
    cache_for=timedelta(hours=1), cache_validator=partial_inputs_only(["x"]), cache_key="add", task_run_name=name_of_run
)
def add(x: int, y: int) -> int:
    """A sum."""
    return x + y


@task(cache_for=timedelta(days=1), cache_validator=newest, state_handlers=[on_change], on_failure=failed, timeout=30)
def total(values: list[int]) -> int:
    """The sum of all."""
    return sum(values)


@task(max_retries=1, retry_delay=[timedelta(seconds=0)])
def fails():
    """Ends with a signal."""
    raise signals.FAIL("it can't be done", result=Row(3))


@task(trigger=some_failed(at_least=1))
def tidies():
    """Runs after a failure."""
    return appliance.fingerprint({"a": 1}) == fingerprint({"a": 1})


@task(trigger=triggers.any_successful, skip_on_upstream_skip=False)
def counts():
    """Loops three times."""
    if context.task_loop_count < 3:
        raise signals.LOOP(result=context.task_loop_count)
    return context.task_loop_result


@task(trigger=some_successful(at_least=0.5), nout=2, tags=["pair"], log_stdout=True)
def pair(values):
    """Two results."""
    print("two")
    return values[0], values[-1]


@task(trigger=triggers.all_finished, checkpoint=False)
def describes(when, rows):
    """Takes collections of tasks."""
    return {"when": when.isoformat(), "rows": [row.number for row in rows["rows"]]}


@task
def row(number):
    """A user's value."""
    return Row(number)


@task
def kind(number):
    """A word to branch by."""
    return "even" if is_even(number) else "odd"


@task
def chosen(word):
    """What is done in a branch."""
    return word


@task
def skips():
    """Never has anything to do."""
    raise signals.SKIP("nothing to do")


class Power(Task):
    """A task class with options of its own."""

    def __init__(self, exponent: int, **options) -> None:
        super().__init__(**options)
        self.exponent = exponent

    def run(self, base: int) -> int:
        return base**self.exponent


@resource_manager(name="connection", cleanup_task_kwargs={"tags": ["cleanup"]})
class Connection:
    """What is opened and closed around tasks."""

    def __init__(self, size: int) -> None:
        self.size = size

    def setup(self):
        return {"size": self.size}

    def cleanup(self, resource):
        resource.clear()


@task
def measures(resource):
    """Uses the resource."""
    return resource["size"]


def doubled(number):
    """A piece of a flow, for apply_map."""
    word = kind(number)
    with case(word, "even"):
        even = Power(2)(number)
    with case(word, "odd"):
        odd = add(number, 0)
    return merge(even, odd)


SCHEDULE = Schedule(
    [
        CronClock("30 6 * * 1-5", "Europe/Berlin", parameters={"n": 2}, labels=["early"]),
        IntervalClock(timedelta(hours=6), DAY),
        DatesClock([date(2026, 5, 1), DAY]),
        RRuleClock("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=6", timezone="Europe/Berlin"),
    ],
    filters=[filters.is_weekday, filters.between_times(time(5), time(20))],
    or_filters=[filters.is_day_of_week("monday"), filters.on_date(5, 1), filters.between_dates(1, 1, 12, 31)],
    not_filters=[filters.is_month_end, filters.at_time(time(3))],
    adjustments=[adjustments.next_weekday, adjustments.add(timedelta(minutes=5))],
    calendar=Calendar(
        ["2026-05-01"], blackouts=[Blackout(DAY, DAY + timedelta(days=1))], when_closed="move", name="site"
    ),
)


def many_features():
    """Most of what a graph can hold, run to an end that is known."""
    with Flow(
        "many features",
        schedule=SCHEDULE,
        executor=LocalExecutor(),
        run_config=LocalRun(env={"MODE": "fast"}, labels=["etl"]),
        state_handlers=[on_change],
        terminal_state_handler=finish,
        strict_tracking=True,
    ) as made:
        n = Parameter("n", default=4, type=int)
        when = DateTimeParameter("when", default=DAY)
        with tags("maths"):
            values = numbers(n)
            sums = add.map(values, unmapped(10))
        whole = total(sums)
        counted = counts(upstream_tasks=[whole])
        first, last = pair(sums)
        nested = row.map(flatten([values, [7, 8]]))
        describes(when, {"rows": nested})
        broken = fails(upstream_tasks=[whole])
        tidies(upstream_tasks=[broken])
        word = kind(last)
        switch(word, {"even": chosen("switched to even"), "odd": chosen("switched to odd")})
        ifelse(first > 5, chosen("more"), chosen("less"))
        merge(skips(), chosen("merged"))
        apply_map(doubled, values)
        FilterTask(is_even, str)(values)
        FilterTask()(values)
        with Connection(n) as resource:
            measured = measures(resource)
        EnvVarSecret("COMPATIBILITY_SECRET")
        constant = Power(3, name="cube", slug="cube")(2)
        (measured + counted) * 2 - constant
        values[0]
        made.set_reference_tasks([whole, counted])
    return made


@flow(name="of a function", schedule=CronSchedule("@daily"), run_config=UniversalRun(labels=["a"]))
def of_a_function(n: int = 3, factor: int = 2):
    """A flow made of a function."""
    return total(add.map(numbers(n), unmapped(factor)))


def of_places():
    """Executors, places for results and validators: nothing that a test can run."""
    places = [
        LocalResult(
            "results",
            location="{flow_name}/{task_name}.pickle",
            serializer=CompressedSerializer(PickleSerializer(), "lzma"),
        ),
        MemoryResult(serializer=JSONSerializer(indent=2)),
        S3Result("bucket", "prefix", options={"region": "eu"}),
        GCSResult("bucket", serializer=PandasSerializer("csv")),
        SFTPResult("host", "/results"),
        result_from_url("file:///results"),
    ]
    validators = [
        appliance.all_inputs,
        appliance.all_parameters,
        appliance.duration_only,
        appliance.never_use,
        partial_parameters_only(["n"]),
    ]
    every = [
        triggers.all_successful,
        triggers.all_failed,
        triggers.any_successful,
        triggers.any_failed,
        triggers.all_finished,
        triggers.manual_only,
        triggers.not_all_skipped,
        triggers.always_run,
    ]
    with Flow("of places", executor=DaskExecutor("tcp://scheduler:8786"), result=places[0]) as made:
        Parameter("n", default=1)
        for number, place in enumerate(places):
            chosen.copy(name=f"place {number}", result=place)(number)
        for number, validator in enumerate(validators):
            chosen.copy(name=f"validator {number}", cache_for=timedelta(1), cache_validator=validator)(number)
        for number, trigger in enumerate(every):
            chosen.copy(name=f"trigger {number}", trigger=trigger)(number)
        chosen.copy(name="executors")([ThreadExecutor(3), ProcessExecutor(2)])
        chosen.copy(name="secret")(Secret("name"))
        SecretTask("PASSWORD")
        chosen.copy(name="target", result=places[1], target="{task_name}.json")("x")
    return made


calls = []


@task(cache_for=timedelta(days=36500), cache_validator=appliance.all_inputs)
def expensive(numbers, when):
    """Its result is found again by its inputs."""
    calls.append("expensive")
    return {"sum": sum(numbers), "when": when, "state": states.Success(result=1)}


@task(target="targets/{task_name}.pickle")
def written():
    """Its result is found again by its place."""
    calls.append("written")
    return signals.FAIL("as a value")


def of_stored_results(folder):
    """What was computed by any release is not computed again."""
    with Flow("of stored results", result=LocalResult(folder)) as made:
        expensive([1, 2.5], DAY)
        written()
    return made


FLOWS = {"many_features": many_features, "of_a_function": lambda: of_a_function, "of_places": of_places}


def save_into(folder):
    """Save every flow, for the tests of later releases."""
    for name, make in FLOWS.items():
        make().save(Path(folder) / f"{name}.flow")
