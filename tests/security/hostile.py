"""A flow that tries to reach what is not its own. Each task returns what it got; nothing is what it should get."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import Flow, Parameter, task

Tries = list[tuple[str, Callable[[], Any]]]


def got(tries: Tries) -> list[str]:
    """The names of those that were not refused."""
    found = []
    for name, attempt in tries:
        with contextlib.suppress(OSError):
            attempt()
            found.append(name)
    return found


def tokens(folder: Path) -> list[str]:
    """What looks like the token of a run in any file that the agent has written."""
    content = b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [found.decode() for found in re.findall(rb"apl_run_[\w-]+", content)]


@task
def attack(site: dict[str, Any]) -> None:
    """Writes what it got where the test looks for it."""
    data = Path(site["data"])
    files: Tries = [(str(path), path.read_bytes) for path in map(Path, site["files"])]
    folders: Tries = [("list data", lambda: list(data.iterdir())), ("write data", (data / "mine").touch)]
    environs: Tries = [
        (f"{what} of {pid}", Path(f"/proc/{pid}/{what}").read_bytes)
        for pid in site["pids"] + site["own"]
        for what in ("environ", "mem", "maps")
    ]
    descriptors: Tries = [
        (f"descriptors of {pid}", lambda pid=pid: list(Path(f"/proc/{pid}/fd").iterdir()))  # type: ignore[misc]
        for pid in site["pids"] + site["own"]
    ]
    signals: Tries = [
        (f"signal {pid}", lambda pid=pid: os.kill(pid, signal.SIGCONT))  # type: ignore[misc]
        for pid in site["pids"]
    ]
    report = {
        "ids": [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()],
        "capabilities": [
            line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
        ],
        "tokens": tokens(data / "agent"),
        "got": got([*files, *folders, *environs, *descriptors, *signals]),
        "become root": got([("setuid", lambda: os.setuid(0))]),
    }
    Path(site["report"]).write_text(json.dumps(report))


with Flow("hostile") as flow:
    attack(Parameter("site"))


@task
def wait(marker: str) -> None:
    Path(marker).touch()
    signal.pause()


with Flow("victim") as victim:
    wait(Parameter("marker"))
