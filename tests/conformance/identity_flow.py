"""Flows whose tasks use functions and classes of their own file in every way that depends on its name. Run as a script and by agents."""

import dataclasses
import enum
import inspect
import multiprocessing
import pickle
import sys
import threading
import typing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import __main__
from appliance import DaskExecutor, Flow, LocalExecutor, ProcessExecutor, ThreadExecutor, all_finished, task


class Color(enum.Enum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass(frozen=True)
class Row:
    number: int


@dataclasses.dataclass(slots=True)
class Slim:
    number: int


class Pair(typing.NamedTuple):
    left: int
    right: int


class Outer:
    class Inner:
        pass


class Odd(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def square(x):
    return x * x


def refuse(code):
    raise Odd(code)


def values():
    return [Color.RED, Right.READ | Right.WRITE, Row(1), Slim(2), Pair(3, 4), Color, Outer.Inner, Odd, square]


def is_own(value):
    """Called in child processes: are these the classes of their own module?"""
    own = (Color, Right, Row, Slim, Pair)
    return isinstance(value, own) or value in (Color, Outer.Inner, Odd, square)


@task
def pools():
    answers = []
    for kind in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(kind).Pool(1) as pool:
            answers += [pool.map(square, [2, 3]), all(pool.map(is_own, values()))]
    return answers


@task
def executors():
    answers = []
    for kind in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as pool:
            answers += [list(pool.map(square, [2, 3])), all(pool.map(is_own, values()))]
            answers.append(pool.submit(refuse, 7).exception().code)
            answers.append(type(pool.submit(refuse, 7).exception()) is Odd)
    return answers


@task
def pickles():
    return [pickle.loads(pickle.dumps(value)) == value for value in values()]


@task
def in_a_thread():
    answers = []
    thread = threading.Thread(target=lambda: answers.append(pickle.loads(pickle.dumps(Color.RED)) is Color.RED))
    thread.start()
    thread.join()
    return answers


@task
def surroundings():
    file = Path(__file__).resolve()
    depth = len(__package__.split(".")) if __package__ else 0
    return [
        Path(sys.argv[0]).resolve() == file,
        len(sys.argv),
        Path(__main__.__file__).resolve() == file,
        str(file.parents[depth]) in (sys.path[0], sys.path[-1]),
        Path.cwd() == file.parent,
        inspect.getsource(square).startswith("def square"),
    ]


@task
def fails():
    raise Odd(7)


@task
def gives():
    return [Color.RED, Row(1)]


@task
def checks(given):
    return [given[0] is Color.RED, given[1] == Row(1), isinstance(given[1], Row)]


EXPECTED = {
    "pools": [[4, 9], True] * 3,
    "executors": [[4, 9], True, 7, True] * 2,
    "pickles": [True] * 9,
    "in_a_thread": [True],
    "surroundings": [True, 1, True, True, True, True],
    "checks": [True, True, True],
}
CHECKED = [pools, executors, pickles, in_a_thread, surroundings]


def trouble(results):
    """What is not as it must be, as text."""
    return {name: result for name, result in results.items() if result != EXPECTED[name]}


@task
def judge(results, error):
    assert not trouble(results), f"wrong: {trouble(results)}"
    assert type(error) is Odd and error.code == 7, f"wrong: {error!r}"


def build(executor, checked=CHECKED):
    with Flow(type(executor).__name__, executor=executor) as flow:
        results = {one.name: one() for one in checked} | {"checks": checks(gives())}
        judge(results, fails(), task_args={"trigger": all_finished})
    return flow


local, threads, processes = build(LocalExecutor()), build(ThreadExecutor(2)), build(ProcessExecutor(2))
on_dask = build(DaskExecutor(cluster_kwargs={"n_workers": 1, "threads_per_worker": 1}), [pickles, in_a_thread])
"""Its workers are daemons, which must not have children."""


if __name__ == "__main__":
    for flow in (local, threads, processes, on_dask):
        state = flow.run(progress=False)
        if not state.is_successful():
            raise SystemExit(f"{flow.name}: {[each.message for each in state.result.values()]}")
