"""Crash points: named places where a test makes the process die, to prove that its successor finds nothing half done.

`APPLIANCE_CRASH=name:n` ends the process the n-th time it passes that place, as a crash would: no clean-up, exit code 137.
`name:n:kill` sends SIGKILL instead; `name:n:raise` raises `Crashed`; `name:n:stop` sends SIGSTOP. Without the variable, a point
costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping

VARIABLE = "APPLIANCE_CRASH"
EXIT_CODE = 137
HOWS = ("exit", "kill", "raise", "stop")

passes: Counter[str] = Counter()
"""How many times each point has been passed since one was armed."""
_armed: tuple[str, int, str] | None = None


class Crashed(Exception):
    """Raised at a crash point that was armed with `raise`."""


def point(name: str) -> None:
    """Crash here if a test has armed this point."""
    if _armed is not None:
        _pass(name, *_armed)


def arm(where: str) -> None:
    """From now on, crash at `name`, `name:n`, or `name:n:how`; "" disarms. Raises ValueError for anything else."""
    global _armed
    name, _, rest = where.partition(":")
    number, _, how = rest.partition(":")
    how = how or HOWS[0]
    if (number and not number.isdecimal()) or how not in HOWS:
        raise ValueError(f"{where!r} is not a crash point; write name:n or name:n:{'|'.join(HOWS)}.")
    passes.clear()
    _armed = (name, int(number or 1), how) if name else None


def arm_from(environ: Mapping[str, str]) -> None:
    """Arm the point that the environment names. Processes forked from a warm pool call this late."""
    if VARIABLE in environ:
        arm(environ[VARIABLE])


def forward(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that pass this process's crash point on to a process with its own environment."""
    return {VARIABLE: environ[VARIABLE]} if VARIABLE in environ else {}


def _pass(name: str, target: str, number: int, how: str) -> None:
    passes[name] += 1
    if name != target or passes[name] != number:
        return
    if how == "raise":
        raise Crashed(f"The crash point {name} was passed {number} times.")
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(EXIT_CODE)


arm_from(os.environ)
