"""Crash points: named places where a test has the process die, to prove that whoever comes next finds nothing half done.

`APPLIANCE_CRASH=name:n` ends the process at the n-th pass of that place as a crash would: no clean-up, exit code 137.
`name:n:kill` sends SIGKILL instead, `name:n:raise` raises `Crashed`. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping

VARIABLE = "APPLIANCE_CRASH"
EXIT_CODE = 137
HOWS = ("exit", "kill", "raise")

passes: Counter[str] = Counter()
"""How often each point was passed since one was armed."""
_armed: tuple[str, int, str] | None = None


class Crashed(Exception):
    """The fault of an armed point whose way to crash is `raise`."""


def point(name: str) -> None:
    """Die here, if a test asked for it."""
    if _armed is not None:
        _pass(name, *_armed)


def arm(where: str) -> None:
    """Die at `name`, `name:n` or `name:n:how` from now on; "" disarms. Raises ValueError, in a sentence, for anything else."""
    global _armed
    name, _, rest = where.partition(":")
    number, _, how = rest.partition(":")
    how = how or HOWS[0]
    if (number and not number.isdecimal()) or how not in HOWS:
        raise ValueError(f"A crash point is written name:n or name:n:{'|'.join(HOWS)}, not {where!r}.")
    passes.clear()
    _armed = (name, int(number or 1), how) if name else None


def arm_from(environ: Mapping[str, str]) -> None:
    """Arm what the environment asks for; processes that are forked ready-made get theirs late."""
    if VARIABLE in environ:
        arm(environ[VARIABLE])


def handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """What a process that is given an environment of its own needs to have this one's point."""
    return {VARIABLE: environ[VARIABLE]} if VARIABLE in environ else {}


def _pass(name: str, wanted: str, number: int, how: str) -> None:
    passes[name] += 1
    if name != wanted or passes[name] != number:
        return
    if how == "raise":
        raise Crashed(f"The crash point {name} was passed {number} times.")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(EXIT_CODE)


arm_from(os.environ)
