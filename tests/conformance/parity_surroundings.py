"""Flows about what surrounds the code of a task, for the parity suite: output, logs, secrets, the context."""

from __future__ import annotations

import sys
from typing import Any

from appliance.core.context import context
from appliance.core.errors import SecretError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.secrets import EnvVarSecret, Secret, SecretTask
from appliance.core.task_decorator import task
from appliance.core.triggers import all_finished
from tests.conformance.parity_cases import carried_out, retried, work
from tests.conformance.parity_values import expect
from tests.conformance.world import World

SECRETS = {"APPLIANCE_SECRET_PARITY": "swordfish-1742"}
"""Variables that every process which may run a task of the suite needs."""


@carried_out()
def output(world: World) -> Flow:
    @task(**retried())
    def prints() -> None:
        called = world.note("prints")
        print("attempt", context.task_run_count)
        sys.stdout.write("one\ntwo\nno end")
        if called == 1:
            raise ConnectionError("not yet")

    @task
    def logs(x: int) -> int:
        world.note(f"logs {x}")
        get_logger("suite").warning("logged %d", x)
        print("printed", x)
        return x

    @task(log_stdout=False)
    def is_silent() -> None:
        world.note("is_silent")
        print("nobody hears this")

    with Flow("output", log_stdout=True) as flow:
        found = logs.map([1, 2, 3], upstream_tasks=[prints()])
        is_silent(upstream_tasks=[found])
    return flow


@carried_out()
def secrets(world: World) -> Flow:
    @task
    def reads() -> int:
        world.note("reads")
        word = Secret("parity").get()
        print("the word is", word)
        get_logger("suite").warning("it is %s", word)
        return len(word)

    @task(**retried())
    def tells(word: str, same: str | None) -> None:
        world.note("tells")
        if word != same:
            raise AssertionError("another word")
        raise ConnectionError(f"{word} was wrong")

    @task
    def lacks() -> None:
        try:
            Secret("PARITY_MISSING").get()
        except SecretError as error:  # under an agent, the server's answer follows
            raise LookupError(str(error).partition(" in ")[0].partition(".")[0]) from None

    with Flow("secrets", log_stdout=True) as flow:
        (variable,) = SECRETS
        told = tells(SecretTask("PARITY"), EnvVarSecret(variable))
        missing = lacks()
        work(world, "after", 1, trigger=all_finished)(upstream_tasks=[told, missing])
        expect(world, "length", len(SECRETS[variable]), reads())
    return flow


@carried_out(restarts=1)
def the_context(world: World) -> Flow:
    names = ("flow_name", "task_name", "task_slug", "task_full_name", "task_run_name", "map_index", "task_tags")

    @task(tags=["a tag"], task_run_name="number {x}", **retried())
    def sees(x: int) -> dict[str, Any]:
        if world.note(f"sees {x}") == 1:
            raise ConnectionError("not yet")
        own = {name: context.get(name) for name in names}
        return own | {"n": context.parameters["n"], "attempt": context.task_run_count, "run": bool(context.flow_run_id)}

    def seen(number: int) -> dict[str, Any]:
        full = f"sees-1[{number}]"
        own = dict(
            zip(names, ("the_context", "sees", "sees-1", full, f"number {number}", number, {"a tag"}), strict=True)
        )
        return own | {"n": 3, "attempt": 2, "run": True}

    with Flow("the_context") as flow:
        n = Parameter("n", default=3)
        found = sees.map([0, 1], upstream_tasks=[n])
        work(world, "later", 1, until_restart=1)(upstream_tasks=[expect(world, "context", [seen(0), seen(1)], found)])
    return flow
