"""The Pythons of this machine: the agent's own, those that its administrator named, and those with the usual names in the usual places."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_USUAL = ("/usr/local/bin", "/usr/bin", "/bin")
OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
"""That of the agent, as flows ask for it."""
_MINORS = range(11, 100)
_NAMED = re.compile(r"3\.[0-9]+")
_PROBE_SECONDS = 20.0
_PROBE = (
    "import json, sys, sysconfig; print(json.dumps([sys.executable, '.'.join(map(str, sys.version_info[:3])), "
    "f'{sys.implementation.name} {sysconfig.get_platform()} {sys.abiflags}', sys.base_prefix]))"
)


class NoPython(Exception):
    """This machine has no such Python, or the agent must not use it. The message is a sentence."""


@dataclass(frozen=True)
class Interpreter:
    """`version` is complete, as in 3.12.1; wheels for one `platform` fit no other. Its library is below `prefix`."""

    path: str
    version: str
    platform: str
    prefix: str = ""

    @property
    def takes_ours(self) -> bool:
        """Whether the agent's own libraries fit it."""
        own = _own()
        return (self.version.split(".")[:2], self.platform) == (own.version.split(".")[:2], own.platform)


def find(named: str | None, allowed: Sequence[str] = ()) -> Interpreter:
    """The interpreter of a version such as 3.12, at a path that is allowed, or without a name the agent's. Raises NoPython."""
    if named is None:
        return _own()
    if named.startswith("/"):
        return _at(named, allowed)
    for path in _places(named, allowed):
        interpreter = _probed(path)
        if interpreter is not None and re.match(rf"{re.escape(named)}\.", interpreter.version):
            return interpreter
    raise NoPython(
        f"There is no Python {named} on this machine. Install it, or name its interpreter in APPLIANCE_AGENT_PYTHONS and restart the agent."
    )


def known(allowed: Sequence[str] = ()) -> list[str]:
    """For which Pythons flows may ask here: versions such as 3.12, and the paths that are allowed. Looking again costs little where nothing has changed."""
    usual = (f"{folder}/python3.{minor}" for folder in _folders() for minor in _MINORS)
    interpreters = [_own(), *filter(None, map(_probed, [*allowed, *usual]))]
    versions = {".".join(interpreter.version.split(".")[:2]) for interpreter in interpreters}
    return sorted(filter(_NAMED.fullmatch, versions)) + [path for path in allowed if _probed(path) is not None]


def _at(path: str, allowed: Sequence[str]) -> Interpreter:
    if path not in allowed:
        raise NoPython(
            f"This agent does not start {path}: flows may name {', '.join(allowed) or 'no interpreters'} by path. To allow it, add it to "
            "APPLIANCE_AGENT_PYTHONS and restart the agent, or name a version instead."
        )
    interpreter = _probed(path)
    if interpreter is None:
        raise NoPython(f"{path} is not a Python that works on this machine.")
    return interpreter


def _places(version: str, allowed: Sequence[str]) -> Iterator[str]:
    yield _own().path
    yield from allowed
    for folder in _folders():
        yield f"{folder}/python{version}"


def _folders() -> list[str]:
    folders = dict.fromkeys([*os.environ.get("PATH", "").split(os.pathsep), *_USUAL])
    return [folder for folder in folders if folder.startswith("/")]


@lru_cache(maxsize=1)
def _own() -> Interpreter:
    """The one on which the virtual environment of the agent is based, if it has one."""
    path = str(Path(sys.executable).resolve())
    interpreter = _probed(path)
    if interpreter is None:
        raise NoPython(f"The agent's own interpreter {path} does not start.")
    return interpreter


def _probed(path: str) -> Interpreter | None:
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        return None
    return _answer(path, changed)


@lru_cache(maxsize=64)
def _answer(path: str, _changed: int) -> Interpreter | None:
    """What an interpreter says of itself; None if it is none, such as a shim of a version that isn't installed."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROBE], env={}, cwd="/", capture_output=True, timeout=_PROBE_SECONDS, check=True
        )
        executable, version, platform, prefix = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(
        str(executable) or path, str(version), str(platform), str(prefix)
    )  # the path is that of a shim, if there is one
