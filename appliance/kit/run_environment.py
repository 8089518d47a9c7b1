"""Which environment variables a flow may set for its runs, and how it names an account as which they work."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_VARIABLES = 200
LONGEST_VALUE = 32_768
MOST_CHARACTERS = 262_144
"""Of all names and values: a process is started with an eighth of what the kernel allows at most."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_RESERVED = re.compile(r"(?:PYTHON|LD_|DYLD_|GCONV|MALLOC|GLIBC|APPLIANCE_).*|PATH|BROWSER", re.IGNORECASE)
"""Variables that decide what the interpreter, the loader or the C library executes, and our own."""
_OF_RUNS = frozenset({"APPLIANCE_RUN_LOG_LEVEL", "APPLIANCE_RUN_LOG_STDOUT", "APPLIANCE_RUN_LOGGERS"})
"""Our own that say what a run logs, though not how much."""


def env_problem(env: Mapping[str, str]) -> str:
    """Why a flow can't set these environment variables, in a sentence; empty if it can."""
    if len(env) > MOST_VARIABLES:
        return f"env has {len(env)} variables; set at most {MOST_VARIABLES}."
    for name, value in env.items():
        if not _NAME.fullmatch(name):
            return f"env can't set {name[:100]!r}: a name has letters, digits, and underscores, and doesn't begin with a digit."
        if _RESERVED.fullmatch(name) and name not in _OF_RUNS:
            return f"env can't set {name}, because it decides how processes start; set it in the agent's environment instead."
        if "\0" in value:
            return f"The value of {name} in env contains a NUL character; remove it."
        if len(value) > LONGEST_VALUE:
            return f"The value of {name} in env is too long ({len(value)}); use at most {LONGEST_VALUE} characters, or a file."
    if (size := sum(len(name) + len(value) for name, value in env.items())) > MOST_CHARACTERS:
        return f"env is too long in all ({size:,}); use at most {MOST_CHARACTERS:,} characters, or a file."
    return ""


def user_problem(user: str | None) -> str:
    """Why this can't name an account, in a sentence; empty if it can, or says nothing."""
    if user is None or _USER.fullmatch(user):
        return ""
    return f"user can't be {user[:80]!r}; write the name of an account, with letters, digits, '_', '.' and '-'."
