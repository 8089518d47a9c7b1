"""Whatever a run under an agent writes or logs reaches its log, with the task and the stream, in order, and whatever its code does."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from appliance.client import flow_runs
from appliance.protocol.logs import LogView
from tests.integration.live import TOKEN, LiveServer
from tests.integration.test_process_agent import Host

FLOWS = """
import ctypes, faulthandler, io, logging, logging.config, multiprocessing, os, subprocess, sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from appliance import Flow, ProcessExecutor, ThreadExecutor, Secret, get_logger, task

print("imported")

@task
def prints():
    print("printed")
    print("to stderr", file=sys.stderr)
    print("no end", end="")

@task
def warns():
    warnings.warn("careful")

@task
def starts_programs():
    print("1")
    os.system("echo 2")
    print("3")
    subprocess.run(["sh", "-c", "echo 4; echo 5"])
    print("6", file=sys.stderr)
    os.system("echo 7 >&2")
    print("8")
    subprocess.run([sys.executable, "-c", "print(9)"], stdout=sys.stdout, stderr=sys.stderr)
    subprocess.run(["printf", "no end"])

@task
def leaves_a_program():
    subprocess.Popen(["sh", "-c", "echo from behind"]).wait()

@task
def writes_below():
    os.write(1, b"by descriptor\\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)
    sys.stdout.buffer.write("byt\\u00e9s\\n".encode())
    sys.__stderr__.write("original\\n")

@task
def leads_elsewhere():
    before, (reading, writing) = os.dup(1), os.pipe()
    os.dup2(writing, 1)
    print("through the pipe", flush=True)
    os.dup2(before, 1)
    os.close(writing)
    print("read", open(reading).read().strip())

@task
def forks_and_leaves(how):
    pid = os.fork()
    if pid == 0:
        if how == "raise":
            raise ValueError("of the child")
        return
    os.waitpid(pid, 0)

EXTRAS = [{"task_slug": 5}, {"map_index": "x"}, {"task_slug": None, "map_index": None}, {"task_slug": "other", "map_index": 10**30}]

@task
def logs_oddly():
    for number, extra in enumerate(EXTRAS):
        get_logger().info("extra %d", number, extra=extra)
    for fields in ({"name": "n" * 5000}, {"name": "a\\0b"}, {"levelno": 10**30}):
        logging.getLogger("lib").handle(logging.makeLogRecord({"name": "lib", "levelno": 40, "msg": "made", **fields}))

class Unprintable:
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__

@task
def logs_objects():
    get_logger().info(Unprintable())
    get_logger().info("%s", Unprintable())
    get_logger().info({"a": 1})
    print("goes on")

@task
def forks():
    def work():
        print("from a fork")
        get_logger().info("logged in a fork")
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()

@task
def uses_threads():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(print, "in a pool").result()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()

@task
def shows_progress():
    for percent in range(0, 101, 10):
        print(f"\\r{percent}%", end="", file=sys.stderr)
    print(file=sys.stderr)

@task
def prints_much():
    print("x" * 100_000)

@task
def hides():
    word = Secret("WORD").get()
    print("print", word)
    os.system("echo child open-sesame")
    logging.getLogger("lib").warning("library %s", word)
    get_logger().info("%d", word)

@task
def logs():
    lib = logging.getLogger("lib")
    lib.info("not wanted")
    lib.warning("warned")
    logging.getLogger("lib.chatty").debug("wanted by name")
    try:
        1 / 0
    except ZeroDivisionError:
        lib.exception("raised")
    get_logger().info("bad %d", "argument")
    logging.getLogger("own.handler").addHandler(logging.StreamHandler())
    logging.getLogger("own.handler").warning("once")

@task(log_stdout=False)
def opts_out():
    print("hidden")
    os.system("echo hidden child")
    get_logger().info("still logged")

def configure():
    logging.config.dictConfig({"version": 1, "handlers": {"h": {"class": "logging.StreamHandler"}}, "root": {"handlers": ["h"], "level": "ERROR"}})

def configure_by_file():
    logging.config.fileConfig(io.StringIO(
        "[loggers]\\nkeys=root\\n[handlers]\\nkeys=h\\n[formatters]\\nkeys=\\n"
        "[logger_root]\\nlevel=CRITICAL\\nhandlers=h\\n[handler_h]\\nclass=StreamHandler\\nargs=()\\n"
    ))

def stop_propagation():
    for name in ("appliance", "appliance.run", "lib"):
        logging.getLogger(name).propagate = False

def raise_level():
    logging.getLogger("appliance.run").setLevel("CRITICAL")

def remove_handlers():
    for name in ("", "appliance.run"):
        logging.getLogger(name).handlers.clear()

def shut_down():
    logging.shutdown()

SILENCERS = (
    configure, configure_by_file, stop_propagation, raise_level, remove_handlers, shut_down,
    lambda: logging.basicConfig(force=True, level="CRITICAL"), lambda: logging.disable(logging.CRITICAL),
)
early = logging.getLogger("lib")

@task
def silenced():
    for number, silence in enumerate(SILENCERS):
        silence()
        get_logger().info("line %d", number)
        early.warning("library %d", number)
        print("printed", number)
    raise ValueError("heard")

with Flow("kinds") as kinds:
    kinds.chain(
        prints(), warns(), starts_programs(), leaves_a_program(), writes_below(), forks(), uses_threads(), shows_progress(),
        prints_much(), hides(), logs(), leads_elsewhere(), logs_oddly(), logs_objects(), forks_and_leaves("return"), forks_and_leaves("raise"),
        opts_out(), silenced(),
    )

with Flow("kinds-in-processes", executor=ProcessExecutor(1)) as kinds_in_processes:
    kinds_in_processes.chain(
        prints(), warns(), leaves_a_program(), writes_below(), forks(), uses_threads(), shows_progress(), logs(),
        leads_elsewhere(), logs_oddly(), logs_objects(), forks_and_leaves("return"), forks_and_leaves("raise"), opts_out(), silenced(),
    )

class Tee:
    def __init__(self, *streams):
        self.streams = streams

    def write(self, text):
        for stream in self.streams:
            stream.write(text)

    def flush(self):
        pass

    def __getattr__(self, name):
        return getattr(self.streams[0], name)

copy = io.StringIO()

@task
def prints_to_a_tee():
    print("through a tee")

@task
def reads_the_copy():
    print("copied", repr(copy.getvalue()))

def put_a_tee(flow, old, new):
    if new.is_running():
        sys.stdout = Tee(sys.stdout, copy)
    return new

with Flow("tee", state_handlers=[put_a_tee]) as tee:
    tee.chain(prints_to_a_tee(), reads_the_copy())

@task
def runs_beside(number):
    both.wait(30)
    subprocess.run(["sh", "-c", f"echo child {number}; echo error {number} >&2"])
    subprocess.run(["echo", f"passed {number}"], stdout=sys.stdout)
    both.wait(30)

both = threading.Barrier(2)
with Flow("beside", executor=ThreadExecutor(2)) as beside:
    runs_beside.map([0, 1])

@task
def floods():
    for number in range(3000):
        print(number)
    get_logger().info("the end")

with Flow("flood") as flood:
    floods()

@task
def dies():
    print("printed before")
    os.system("echo child before")
    ctypes.string_at(0)

with Flow("death") as death:
    dies()

"""

OUT, ERR, RUN, LIB = "stdout", "stderr", "run", "lib"
BOTH = ("kinds", "kinds-in-processes")
EXPECTED: list[tuple[str, tuple[str, ...], list[tuple[str, str]]]] = [
    ("prints-1", BOTH, [(OUT, "printed"), (ERR, "to stderr"), (OUT, "no end")]),
    (
        "starts_programs-1",
        ("kinds",),
        [*((OUT, number) for number in "12345"), (ERR, "6"), (ERR, "7"), (OUT, "8"), (OUT, "9"), (OUT, "no end")],
    ),
    ("leaves_a_program-1", BOTH, [(OUT, "from behind")]),
    ("writes_below-1", ("kinds",), [(OUT, "by descriptor"), (OUT, "from C"), (OUT, "bytés"), (ERR, "original")]),
    ("shows_progress-1", BOTH, [(ERR, "100%")]),
    ("hides-1", ("kinds",), [(OUT, "print ***"), (OUT, "child ***"), (LIB, "library ***")]),
    ("leads_elsewhere-1", BOTH, [(OUT, "read through the pipe")]),
    ("opts_out-1", BOTH, [(RUN, "still logged")]),
]
ENVIRON = {
    "APPLIANCE_RUN_LOGGERS": "lib.chatty=DEBUG",
    "APPLIANCE_RUN_LOG_RATE": "100",
    "APPLIANCE_SECRET_WORD": "open-sesame",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    file = tmp_path_factory.mktemp("flows") / "output.py"
    file.write_text(FLOWS)
    live = LiveServer(tmp_path_factory.mktemp("server") / "data").start()
    live.register(file)
    yield live
    live.kill()


@pytest.fixture(scope="module")
def host(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(server, tmp_path_factory.mktemp("host"), run_environ=ENVIRON)
    host.start()
    yield host
    host.stop()


def log_of(server: LiveServer, flow: str) -> list[LogView]:
    run = server.create(flow)
    server.ended(run)
    return list(flow_runs.logs(server.client, run))


@pytest.fixture(scope="module")
def logs(server: LiveServer, host: Host) -> dict[str, list[LogView]]:
    return {flow: log_of(server, flow) for flow in BOTH}


def of(lines: list[LogView], slug: str) -> list[tuple[str, str]]:
    """The last part of the logger's name, and the message, of each line of a task, in whose worker the file may be imported again."""
    own = [line for line in lines if line.task_slug == slug and line.message != "imported"]
    return [(line.logger.rpartition(".")[2], line.message) for line in own]


@pytest.mark.parametrize(
    ("flow", "slug", "expected"), [(flow, slug, lines) for slug, flows, lines in EXPECTED for flow in flows]
)
def test_what_a_task_writes_is_logged_with_task_and_stream(
    logs: dict[str, list[LogView]], flow: str, slug: str, expected: list[tuple[str, str]]
) -> None:
    assert of(logs[flow], slug)[: len(expected)] == expected


@pytest.mark.parametrize("flow", BOTH)
def test_lines_of_other_sources_are_there(logs: dict[str, list[LogView]], flow: str) -> None:
    lines = logs[flow]
    text = {
        slug: "\n".join(message for _, message in of(lines, slug)) for slug in {str(line.task_slug) for line in lines}
    }
    assert "UserWarning: careful" in text["warns-1"]
    assert {"from a fork", "in a pool"} <= {line.message for line in lines}
    assert "INFO run: logged in a fork" in text["forks-1"]
    assert "ZeroDivisionError" in text["uses_threads-1"]
    assert "x" * 1000 in text["prints_much-1"] if flow == "kinds" else True
    assert any(line.message == "imported" and line.task_slug is None for line in lines)
    assert "open-sesame" not in str(lines)
    assert [line.at for line in lines] == sorted(line.at for line in lines)


@pytest.mark.parametrize("flow", BOTH)
def test_records_of_all_loggers_are_there_once(logs: dict[str, list[LogView]], flow: str) -> None:
    lines = [(line.logger, line.level, line.message) for line in logs[flow] if line.task_slug == "logs-1"]
    assert lines[:2] == [("lib", "WARNING", "warned"), ("lib.chatty", "DEBUG", "wanted by name")]
    assert lines[2][:2] == ("lib", "ERROR")
    assert "ZeroDivisionError" in lines[2][2]
    assert "'bad %d' with the arguments ('argument',) can't be formatted: TypeError" in lines[3][2]
    assert lines[4:] == [("own.handler", "WARNING", "once")]


@pytest.mark.parametrize("flow", BOTH)
def test_objects_without_a_text_are_said_and_the_task_goes_on(logs: dict[str, list[LogView]], flow: str) -> None:
    lines = [message for _, message in of(logs[flow], "logs_objects-1")]
    assert [message.partition(" at ")[0] for message in lines] == [
        "Logging error",
        "Logging error",
        "{'a': 1}",
        "goes on",
    ]


@pytest.mark.parametrize("flow", BOTH)
def test_fields_of_records_may_be_anything(logs: dict[str, list[LogView]], flow: str) -> None:
    lines = [message for _, message in of(logs[flow], "logs_oddly-1")]
    assert lines == ["extra 0", "extra 1", "extra 2", "extra 3", *["made"] * 3]


@pytest.mark.parametrize("flow", BOTH)
def test_a_forked_process_ends_where_it_leaves_its_task(logs: dict[str, list[LogView]], flow: str) -> None:
    returned, raised = ("\n".join(line for _, line in of(logs[flow], f"forks_and_leaves-{n}")) for n in (1, 2))
    assert "a task runs only once" in returned
    assert raised.count("ValueError: of the child") == 1
    assert sum("Flow" in line.message and "ended" in line.message for line in logs[flow]) == 1


def test_what_stands_before_the_streams_gets_what_is_written(server: LiveServer, host: Host) -> None:
    lines = log_of(server, "tee")
    assert (OUT, "through a tee") in of(lines, "prints_to_a_tee-1")
    (copied,) = of(lines, "reads_the_copy-1")
    assert "through a tee" in copied[1]


@pytest.mark.parametrize("flow", BOTH)
def test_no_setup_of_logging_silences_the_run(logs: dict[str, list[LogView]], flow: str) -> None:
    lines = of(logs[flow], "silenced-1")
    for number in range(8):
        assert (RUN, f"line {number}") in lines
        assert ("lib", f"library {number}") in lines
        assert (OUT, f"printed {number}") in lines
    failure = next(line for line in logs[flow] if "Task 'silenced' failed" in line.message)
    assert "Traceback" in failure.message
    assert "ValueError: heard" in failure.message
    first, last = logs[flow][1], logs[flow][-1]
    assert "started with" in first.message
    assert "ended after" in last.message


def test_programs_of_tasks_that_run_at_the_same_time_are_told_apart(server: LiveServer, host: Host) -> None:
    lines = log_of(server, "beside")
    for number in range(2):
        own = [line for line in lines if (line.task_slug, line.map_index) == ("runs_beside-1", number)]
        assert {(line.logger.rpartition(".")[2], line.message) for line in own} == {
            (OUT, f"child {number}"),
            (ERR, f"error {number}"),
            (OUT, f"passed {number}"),
        }


def test_a_flood_is_limited_and_says_by_how_much(server: LiveServer, host: Host) -> None:
    lines = log_of(server, "flood")
    printed = [line.message for line in lines if line.task_slug == "floods-1" and line.logger.endswith(OUT)]
    assert printed == [str(number) for number in range(len(printed))]
    assert len(printed) <= 1000
    (gap,) = [line for line in lines if "dropped" in line.message]
    assert gap.level == "WARNING"
    assert f"{3001 - len(printed):,} lines" in gap.message
    assert "more than 100 lines a second" in gap.message
    assert "ended after" in lines[-1].message


def test_a_process_that_dies_leaves_its_last_lines(server: LiveServer, host: Host) -> None:
    run = server.create("death")
    assert server.ended(run).state == "Crashed"
    query = "query($id: UUID!) { flowRun(id: $id) { cause { tail } } }"
    answer = httpx2.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": {"id": str(run)}},
        headers={"Authorization": f"Bearer {TOKEN}"},
    ).json()
    assert answer["data"]["flowRun"]["cause"]["tail"][-2:] == ["printed before", "child before"]
