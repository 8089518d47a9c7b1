"""Functions and classes of a flow's file are found by every process that needs them, whatever the file is called and whoever runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.client import flow_runs
from tests import depth
from tests.conformance import identity_flow
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_process_agent import Host

SOURCE = Path(identity_flow.__file__)
NAMES = ["etl.py", "my-flow.py", "my flow.py", "queue.py", "types.py", "v1.2.py", "package/inner/etl.py"]
WAYS = [(name, warm) for number, name in enumerate(NAMES) for warm in (True, False)
        if depth.is_full() or number == 0 or warm == (number % 2 == 0)]  # fmt: skip
"""Every name, in a warm or in a cold process; in full runs in both."""
FLOWS = ["DaskExecutor", "LocalExecutor", "ThreadExecutor", "ProcessExecutor"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    yield live
    live.kill()


def place(folder: Path, name: str, text: str | None = None) -> Path:
    """A copy of the flows under this name, in packages if it has folders."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    for above in Path(name).parents[:-1]:
        (folder / above / "__init__.py").touch()
    file.write_text(SOURCE.read_text() if text is None else text)
    return file


def register(server: LiveServer, folder: Path, *arguments: str) -> str:
    """The command in this folder. Returns what it says besides its answer."""
    environ = {**os.environ, "APPLIANCE_URL": server.url, "APPLIANCE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "appliance", "register", *arguments, "--project", "p"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_it_runs_as_a_script(tmp_path: Path) -> None:
    file = place(tmp_path, "etl.py")
    done = subprocess.run([sys.executable, file.name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "warm"), WAYS, ids=lambda value: {True: "warm", False: "cold"}.get(value, value))
def test_it_runs_under_an_agent(server: LiveServer, tmp_path: Path, name: str, warm: bool) -> None:
    host = Host(server, tmp_path / "agent", warm)
    host.start()
    try:
        server.register(place(tmp_path / "flows", name))
        for run in [server.create(flow) for flow in (FLOWS if name == "etl.py" else FLOWS[-1:])]:
            end = server.ended(run)
            assert end.state == "Success", [line.message for line in flow_runs.logs(server.client, run)]
    finally:
        host.stop()


WRITER = """
import pickle
from pathlib import Path
from appliance import Flow, task

class Row:
    pass

def square(x):
    return x * x

@task
def write():
    Path("values.pickle").write_bytes(pickle.dumps([Row(), square]))

with Flow("writer") as flow:
    write()
"""


def test_other_programs_read_what_a_run_pickled(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path / "agent")
    host.start()
    try:
        server.register(place(tmp_path / "flows", "writer.py", WRITER))
        assert server.ended(server.create("writer")).state == "Success"
    finally:
        host.stop()
    code = "import pickle; row, square = pickle.load(open('values.pickle', 'rb')); print(type(row), square(3))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "flows", capture_output=True, text=True, check=True
    )
    assert done.stdout == "<class 'writer.Row'> 9\n"


UNGUARDED = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from appliance import Flow, task

def square(x):
    return x * x

@task
def spawned():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return list(pool.map(square, [3]))

with Flow("unguarded") as flow:
    spawned()

flow.run()
"""
START_METHOD = """
import multiprocessing
from appliance import Flow, task

multiprocessing.set_start_method("spawn", force=True)

class Row:
    pass

def is_row(value):
    return type(value) is Row

@task
def pooled():
    with multiprocessing.Pool(1) as pool:
        assert pool.map(is_row, [Row(), Row()]) == [True, True]

with Flow("start method") as flow:
    pooled()
"""


def test_a_file_may_choose_how_processes_start(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path / "agent")
    host.start()
    try:
        place(tmp_path, "start.py", START_METHOD)
        register(server, tmp_path, "start.py")
        assert server.ended(server.create("start method")).state == "Success"
    finally:
        host.stop()


RELATIVE = """
from appliance import Flow, task
from .conf import VALUE

@task
def check():
    assert VALUE == 5

with Flow("relative") as flow:
    check()
"""


@pytest.mark.parametrize("arguments", [["-m", "reports.daily"], ["reports/daily.py"]], ids=["module", "file"])
def test_a_flow_in_a_package_may_import_relatively(server: LiveServer, tmp_path: Path, arguments: list[str]) -> None:
    host = Host(server, tmp_path / "agent")
    host.start()
    try:
        place(tmp_path, "reports/daily.py", RELATIVE)
        (tmp_path / "reports" / "conf.py").write_text("VALUE = 5\n")
        if arguments[0] == "-m":
            (tmp_path / "reports" / "__init__.py").unlink()
        assert register(server, tmp_path, *arguments) == ""
        assert server.ended(server.create("relative")).state == "Success"
    finally:
        host.stop()


def test_a_namespace_package_below_src_may_import_relatively(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path / "agent")
    host.start()
    try:
        (tmp_path / "pyproject.toml").touch()
        place(tmp_path, "src/space/daily.py", RELATIVE)
        for above in ("src", "src/space"):
            (tmp_path / above / "__init__.py").unlink()
        (tmp_path / "src" / "space" / "conf.py").write_text("VALUE = 5\n")
        assert register(server, tmp_path, ".") == ""
        assert server.ended(server.create("relative")).state == "Success"
    finally:
        host.stop()


def test_a_name_that_is_taken_is_said(server: LiveServer, tmp_path: Path) -> None:
    place(tmp_path, "queue.py", "from appliance import Flow\n\nflow = Flow('taken')\n")
    assert "Rename the file" in register(server, tmp_path, "queue.py")


def test_child_processes_never_run_the_flow(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path / "agent")
    host.start()
    try:
        with pytest.warns(UserWarning, match="ignored while"):
            server.register(place(tmp_path / "flows", "unguarded.py", UNGUARDED))
        assert server.ended(server.create("unguarded")).state == "Success"
    finally:
        host.stop()


def test_files_of_one_name_do_not_get_each_others_neighbors(server: LiveServer, tmp_path: Path) -> None:
    text = "from appliance import Flow\nfrom beside import NAME\n\nflow = Flow(NAME)\n"
    for name in ("first", "second"):
        file = place(tmp_path / name, "etl.py", text)
        (file.parent / "beside.py").write_text(f"NAME = {name!r}\n")
    server.register(tmp_path)
    assert server.create("first") != server.create("second")
