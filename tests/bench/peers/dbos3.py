"""The works on DBOS with its SQLite database: each step is committed before the next begins, in this process; there is no server.

dbos3.py FOLDER WORK STEPS   prints {"seconds", "steps", "recorded", "version"}
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from importlib.metadata import version
from pathlib import Path

from dbos import DBOS
from works import fibo, same


@DBOS.step()
def passed(x: int) -> int:
    return same(x)


@DBOS.step()
def fibo_of(n: int) -> int:
    return fibo(n)


@DBOS.workflow()
def child(x: int) -> int:
    return passed(x)


@DBOS.workflow()
def chain(steps: int) -> int:
    x = 0
    for _ in range(steps):
        x = passed(x)
    return x


@DBOS.workflow()
def mapped(steps: int) -> int:
    return sum(handle.get_result() for handle in [DBOS.start_workflow(child, x) for x in range(steps)])


@DBOS.workflow()
def fibos(n: int, steps: int) -> int:
    return sum(fibo_of(n) for _ in range(steps))


def main() -> None:
    folder, work, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    path = Path(folder) / "dbos.sqlite"
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{path}", "log_level": "ERROR"})
    DBOS.launch()
    works = {
        "chain": lambda n: chain(n),
        "map": lambda n: mapped(n),
        "fibo10": lambda n: fibos(10, n),
        "fibo33": lambda n: fibos(33, n),
    }
    works["chain"](10)
    with sqlite3.connect(path) as before:
        recorded = before.execute("select count(*) from operation_outputs").fetchone()[0]
    began = time.perf_counter()
    works[work](steps)
    seconds = time.perf_counter() - began
    with sqlite3.connect(path) as after:
        recorded = after.execute("select count(*) from operation_outputs").fetchone()[0] - recorded
    DBOS.destroy()
    print(json.dumps({"seconds": seconds, "steps": steps, "recorded": recorded, "version": version("dbos")}))


if __name__ == "__main__":
    main()
