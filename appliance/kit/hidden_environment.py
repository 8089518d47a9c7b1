"""Takes secrets out of the environment with which a process was started, because /proc/PID/environ shows that as long as it lives.

The process replaces itself by the same command without them, and reads them from a file that has no name. As its memory holds them, it
is hidden from other processes of its user, too.
"""

from __future__ import annotations

import json
import os
import re
import sys

_HANDLE = "APPLIANCE_HIDDEN_ENVIRONMENT"
_LONG_LIVED = ("start", "server", "services", "agent")
_SECRET = re.compile(r"APPLIANCE_(ADMIN_PASSWORD|ADMIN_TOKEN|TOKEN|DATABASE_URL|RUN_TOKEN|SECRET_.+)|PGPASSWORD")


def hide() -> None:
    """Call this before anything else, in a command that stays. The variables are set afterwards, as if nothing had happened."""
    handle = os.environ.pop(_HANDLE, "")
    stays = sys.platform.startswith("linux") and bool(set(sys.argv[1:2]) & set(_LONG_LIVED))
    if stays:
        _hide_memory()
    if handle.isdecimal():
        _take(int(handle))
        return
    secrets = {name: value for name, value in os.environ.items() if _SECRET.fullmatch(name)}
    if not secrets or not stays:
        return
    file = os.memfd_create("environment", 0)
    os.write(file, json.dumps(secrets).encode())
    os.lseek(file, 0, os.SEEK_SET)
    rest = {name: value for name, value in os.environ.items() if name not in secrets}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**rest, _HANDLE: str(file)})  # noqa: S606 - this very command


def _hide_memory() -> None:
    from appliance.kit import hidden_memory  # other commands need not wait for this import

    hidden_memory.hide()


def _take(handle: int) -> None:
    try:
        with os.fdopen(handle, "rb") as file:
            os.environ.update(json.loads(file.read()))
    except (OSError, ValueError):
        sys.exit(f"Error: {_HANDLE} is not for you to set; remove it from the environment.")
