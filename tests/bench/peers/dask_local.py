"""The works on Dask's distributed scheduler with two processes on this machine. Nothing is stored: a lost scheduler loses all.

dask_local.py WORK STEPS   prints {"seconds", "steps", "recorded", "version"}
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

from distributed import Client, LocalCluster
from works import fibo, same


def chain(client: Client, steps: int) -> int:
    x = client.submit(same, 0, pure=False)
    for _ in range(steps - 1):
        x = client.submit(same, x, pure=False)
    return int(x.result())


def mapped(client: Client, steps: int) -> int:
    return sum(client.gather(client.map(same, range(steps), pure=False)))


def after(n: int, _before: int) -> int:
    return fibo(n)


def fibos(client: Client, n: int, steps: int) -> int:
    x = client.submit(after, n, 0, pure=False)
    for _ in range(steps - 1):
        x = client.submit(after, n, x, pure=False)
    return int(x.result())


def main() -> None:
    work, steps = sys.argv[1], int(sys.argv[2])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        works = {
            "chain": lambda: chain(client, steps),
            "map": lambda: mapped(client, steps),
            "fibo10": lambda: fibos(client, 10, steps),
            "fibo33": lambda: fibos(client, 33, steps),
        }
        chain(client, 10)
        began = time.perf_counter()
        works[work]()
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "steps": steps, "recorded": 0, "version": version("distributed")}))


if __name__ == "__main__":
    main()
