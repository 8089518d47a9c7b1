"""What a user's own mypy --strict says of flows: nothing about right ones, the right thing about wrong ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
from datetime import timedelta
from typing import Any

from appliance import (
    FilterTask, Flow, Parameter, Task, apply_map, case, exponential_backoff, flatten, ifelse, merge, resource_manager, signals,
    states, switch, task, triggers, unmapped,
)


@task
def extract(count: int) -> list[int]:
    return list(range(count))


@task(max_retries=3, retry_delay=exponential_backoff(1, limit=60), retry_jitter=0.2, trigger=triggers.any_successful)
def double(x: int, by: int = 2) -> int:
    if x < 0:
        raise signals.SKIP("negative")
    return x * by


@task(nout=2)
async def split(values: list[int]) -> tuple[int, int]:
    return values[0], values[-1]


class Load(Task):
    def __init__(self, table: str, **options: Any) -> None:
        super().__init__(**options)
        self.table = table

    def run(self, rows: list[int]) -> int:
        return len(rows)


class Connection:
    def __init__(self, url: str) -> None:
        self.url = url

    def setup(self) -> str:
        return self.url

    def cleanup(self, resource: str) -> None: ...


connect = resource_manager(Connection)

with Flow("typed") as flow:
    count = Parameter("count", default=3)
    numbers = extract(count, task_args={"name": "numbers"})
    doubled = double.map(numbers, by=unmapped(3))
    first, last = split(doubled)
    with case(first > 1, True):
        loaded = Load("t", timeout=timedelta(minutes=1))(rows=FilterTask()(doubled))
    other = last + 1
    merged = merge(loaded, other[0])
    switch(first, {0: loaded, 1: other})
    ifelse(first, loaded, other)
    piece: Task = apply_map(lambda x: double(double(x)), flatten([[1], [2]]))
    with connect("db://") as connection:
        extract(connection, upstream_tasks=[piece])

state: states.State | None = flow.run(count=4)
if state is not None and state.is_successful():
    values: list[int] = extract.run(2)
    value: int = double.run(1, by=4)
"""

BAD = """
from appliance import Flow, case, task


@task
def double(x: int) -> int:
    return x * 2


double.run("a")  # line 10: arg-type
text: str = double.run(1)  # line 11: assignment
double.run(1, 2)  # line 12: call-arg
task(max_retries="3")  # line 13: call-overload
Flow(3)  # line 14: arg-type
case(1, 1)  # line 15: arg-type
double(1).nonsense  # line 16: attr-defined
"""


@pytest.mark.slow
def test_what_mypy_says_of_a_users_flows(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", "--no-pretty"]
    said = subprocess.run(
        [*command, "--follow-imports=silent", "--cache-dir", str(root / ".mypy_cache" / "users"), str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = [line for line in said.stdout.splitlines() if ": error: " in line]
    told = [(Path(line.split(":")[0]).name, line.split(":")[1], line.rsplit("[", 1)[-1].rstrip("]")) for line in found]
    wanted = [tuple(line.split("# line ")[1].split(": ")) for line in BAD.splitlines() if "# line" in line]
    assert told == [("bad.py", *item) for item in wanted], said.stdout + said.stderr
    assert (root / "appliance" / "py.typed").exists()
