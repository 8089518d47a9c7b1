"""The flow of the example project; `python -m shop.totals` runs it."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import Flow, Parameter, task
from appliance.executors import ProcessExecutor

from .rates import Order


@dataclass
class Report:
    """A class of the flow's own file."""

    region: str
    total: int


@task
def orders() -> list[Order]:
    return [Order(1), Order(20)]


@task
def report(region: str, items: list[Order]) -> Report:
    return Report(region, sum(item.total for item in items))


@task(log_stdout=True)
def show(result: Report) -> None:
    assert type(result) is Report
    print(f"{type(result).__module__}: {result.total} in {result.region}")


with Flow("totals", executor=ProcessExecutor(max_workers=2)) as flow:
    show(report(Parameter("region", default="here"), orders()))

if __name__ == "__main__":
    state = flow.run()
    raise SystemExit(0 if state is not None and state.is_successful() else 1)
