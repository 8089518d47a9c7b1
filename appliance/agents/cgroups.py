"""A cgroup of version 2 for each attempt of a process agent, where the system has given the agent a part of the tree: it bounds and measures all processes
of an attempt together, shows whether memory was lacking, and lets none outlive a stop.

The system gives it by a unit with Delegate=yes and DelegateSubgroup=agent, or by a container whose tree can be written to. Elsewhere, runs have none.
"""

from __future__ import annotations

import errno
import logging
import os
import select
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.agents.attempts import AttemptRecord
from appliance.agents.usage import Usage, field, of_cgroup

_OWN, _OUTLIVED = "agent", "outlived"
_CONTROLLERS = ("memory", "pids")
_MARKS = ("user.delegate", "trusted.delegate")
"""What systemd writes on what it delegates."""
_TURNS = 10
"""How often it is looked whether there are processes, which may start others."""
_SOON = 100
"""Milliseconds."""
_logger = logging.getLogger("appliance.agent")


@dataclass(frozen=True)
class Ending:
    """What was found when the process of an attempt had ended. `out_of_memory`: the kernel killed processes of it, since they had reached the limit of the
    attempt (`own_limit`), or that of something around it."""

    used: Usage | None
    out_of_memory: bool = False
    own_limit: bool = False


class Cgroups:
    """Those of one agent, in a folder of the tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, record: AttemptRecord) -> None:
        """Put the process of an attempt, which has just been started, into a cgroup of its own. If that is not possible, it stays where it is."""
        place = self._place(record)
        try:
            place.mkdir(exist_ok=True)
            for file, value in _settings(record.limits).items():
                with suppress(FileNotFoundError):  # such as that of swap, where there is none
                    _write(place / file, value)
            _write(place / "cgroup.procs", str(record.pid))
        except OSError as error:
            with suppress(OSError):  # an empty one says that nothing was used
                place.rmdir()
            if error.errno != errno.ESRCH:  # it has ended already
                _logger.warning("Run %s has no cgroup of its own: %s.", record.flow_run_id, error.strerror)

    def end(self, record: AttemptRecord, *, clean: bool) -> Ending | None:
        """Once its process has ended: what all its processes have used and met. Those that it has left behind go on after a `clean` end, and are killed
        otherwise. None: it has no cgroup."""
        place = self._place(record)
        if not place.is_dir():
            return None
        ending = Ending(of_cgroup(place), _event(place, "oom_kill") > 0, _event(place, "oom") > 0)
        try:
            if clean:
                self._let_go(place)
            else:
                _write(place / "cgroup.kill", "1")
            _emptied(place)
            place.rmdir()
        except OSError as error:
            _logger.warning("The cgroup of run %s is still there: %s.", record.flow_run_id, error.strerror)
        return ending

    def _place(self, record: AttemptRecord) -> Path:
        return self._folder / f"run-{record.flow_run_id}-{record.attempt}"

    def _let_go(self, place: Path) -> None:
        """Move what outlives its run to where all of that is."""
        for _ in range(_TURNS):
            left = _lines(place / "cgroup.procs")
            if not left:
                return
            (self._folder / _OUTLIVED).mkdir(exist_ok=True)
            for pid in left:
                with suppress(ProcessLookupError):
                    _write(self._folder / _OUTLIVED / "cgroup.procs", pid)


def delegated(own: Path = Path("/proc/self/cgroup"), mounts: Path = Path("/proc/self/mountinfo")) -> Cgroups | None:
    """What the system has given to this process; None if that is nothing, which is only logged."""
    try:
        folder = _folder(own, mounts)
        if folder is not None:
            _enable(folder)
            _logger.info("Each run has a cgroup of its own, in %s.", folder)
            return Cgroups(folder)
        _logger.info("Runs have no cgroups of their own: the system has delegated none to this agent.")
    except OSError as error:
        _logger.info("Runs have no cgroups of their own: %s.", error.strerror)
    return None


def _folder(own: Path, mounts: Path) -> Path | None:
    tree = next(
        (Path(words[4]) for words in map(str.split, _lines(mounts)) if words[words.index("-") + 1] == "cgroup2"), None
    )
    path = next((line.removeprefix("0::") for line in _lines(own) if line.startswith("0::/")), None)
    if tree is None or path is None:
        return None
    if path == "/":
        return tree
    own_place = tree / path[1:]
    if any(_marked(own_place, name) for name in _MARKS):
        raise OSError(errno.EBUSY, "its unit has Delegate=yes, but not DelegateSubgroup=agent")
    parent = own_place.parent
    return parent if any(_marked(parent, name) for name in _MARKS) else None


def _marked(folder: Path, name: str) -> bool:
    try:
        return os.getxattr(folder, name) == b"1"
    except OSError:
        return False


def _enable(folder: Path) -> None:
    """Have the cgroups in the folder bound and measured. Raises OSError. A cgroup can't do that while it has processes itself."""
    try:
        _enable_all(folder)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        (folder / _OWN).mkdir(exist_ok=True)
        for pid in _lines(folder / "cgroup.procs"):
            with suppress(ProcessLookupError):
                _write(folder / _OWN / "cgroup.procs", pid)
        _enable_all(folder)


def _enable_all(folder: Path) -> None:
    lacking = set(_CONTROLLERS).difference(*map(str.split, _lines(folder / "cgroup.controllers")))
    if lacking:
        raise OSError(errno.ENOTSUP, f"the controller {min(lacking)} is not there")
    _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in _CONTROLLERS))


def _settings(limits: Mapping[str, int]) -> dict[str, str]:
    """What is written into the cgroup of an attempt. All of its processes are killed together, so that none waits for another in vain."""
    settings = {"memory.oom.group": "1"}
    if "memory" in limits:
        settings |= {"memory.max": str(limits["memory"]), "memory.swap.max": "0"}
    if "processes" in limits:
        settings["pids.max"] = str(limits["processes"])
    return settings


def _event(place: Path, name: str) -> int:
    """How often something has happened to a cgroup or those in it."""
    try:
        return field(_lines(place / "memory.events"), name)
    except (OSError, ValueError):
        return 0


def _emptied(place: Path) -> None:
    """Wait until its processes, which were killed, have ended, for a second at most. Raises OSError."""
    with (place / "cgroup.events").open("rb") as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        for _ in range(_TURNS):
            if b"populated 0" in os.pread(events.fileno(), 1_000, 0):
                return
            poll.poll(_SOON)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="ascii", errors="replace").splitlines()


def _write(file: Path, text: str) -> None:
    with file.open("r+", encoding="ascii") as opened:  # never made: it is the kernel's
        opened.write(text)
