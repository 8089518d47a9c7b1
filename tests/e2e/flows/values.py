"""Flows that log what reaches them: parameters as Python sees them, names of the context, and secrets."""

from __future__ import annotations

import json
import os
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

from appliance import DateTimeParameter, Flow, Parameter, Secret, SecretTask, context, get_logger, task


class Currency(Enum):
    EUR = "eur"
    USD = "usd"


@task
def show(**values: Any) -> None:
    get_logger().info("VALUES %s", json.dumps({name: repr(value) for name, value in values.items()}))


@task
def typed(
    number: int, at: datetime, price: Decimal, note: str | None, level: Literal["1", 1], currency: Currency
) -> None:
    values = {"number": number, "at": at, "price": price, "note": note, "level": level, "currency": currency.name}
    get_logger().info("VALUES %s", json.dumps({name: str(value) for name, value in values.items()}))


with Flow("values") as values:
    typed(
        Parameter("number", default=1),
        DateTimeParameter("at", default="2026-03-29T02:30:00+01:00"),
        Parameter("price", default="1.50"),
        Parameter("note", default="x"),
        Parameter("level", default="1"),
        Parameter("currency", default="eur"),
    )
    show(loose=Parameter("loose", default=None))


@task
def refuse(at: datetime, big: float, **values: Any) -> None:
    exact = {"at": at.isoformat(), "big": big, **values}
    get_logger().info("REFUSED %s", json.dumps({name: repr(value) for name, value in exact.items()}))
    raise ValueError("so that it can be restarted")


with Flow("refused") as refused:
    refuse(
        DateTimeParameter("at"),
        Parameter("big"),
        number=Parameter("number"),
        note=Parameter("note", default="x"),
        loose=Parameter("loose", default=None),
    )


@task(task_run_name="{flow_run_name} {task_full_name} {parameters[n]}", tags=["x"])
def look(n: int) -> None:
    names = [
        "flow_name",
        "flow_run_id",
        "flow_run_name",
        "task_run_id",
        "task_full_name",
        "task_run_name",
        "today",
        "running_with_backend",
    ]
    get_logger().info("NAMES %s", json.dumps({name: str(context[name]) for name in names}))


with Flow("names") as names:
    look(Parameter("n", default=7))


@task
def enter(word: str) -> None:
    get_logger().info("the word is %s", word)
    get_logger().info("from a file: %s", Secret("from-file").get())
    get_logger().info("environment: %s", dict(os.environ))


with Flow("secrets") as secrets:
    enter(SecretTask("door"))
