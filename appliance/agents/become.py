"""Becomes the account of a run, for good, and then the program of the run: `python -m appliance.agents.become FD`, started as root.

Its order comes from the agent alone. Nothing of the flow or of its packages has been loaded by then. The installers of environments for such runs
start in the same way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from appliance.agents.run_users import Account
from appliance.kit import privileges
from appliance.kit.privileges import Ids

REFUSED = 77
"""The exit code if the account can't do what the run needs; the last line of the output says why."""
_UMASK = 0o027


def start(
    account: Account,
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    needed: Sequence[Path],
    output: IO[bytes],
    held: Sequence[int],
    code: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program as an account, in a session of its own. It keeps the file descriptors `held`. `needed` is what it has to reach, whoever can enter the
    folders above, and `code` a file that it must be able to read. Raises OSError."""
    order = {
        "name": account.name,
        "uid": account.ids.uid,
        "gid": account.ids.gid,
        "groups": account.ids.groups,
        "cwd": str(cwd),
        "code": code,
        "needed": [str(path) for path in [*privileges.interpreter(), *needed] if path.exists()],
        "command": list(command),
        "environ": dict(environ),
    }
    ordered = file_of(order)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance.agents.become", str(ordered)],
            cwd="/",
            env={name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[ordered, *held],
        )
    finally:
        os.close(ordered)


def file_of(document: object) -> int:
    """A file without a name that has this as JSON, at its beginning."""
    handle = os.memfd_create("handed")
    with os.fdopen(os.dup(handle), "wb") as file:
        file.write(json.dumps(document).encode())
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def main() -> int:
    """Never returns if all goes well."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        order = json.loads(file.read())
    problem = _become(order)
    if problem:
        sys.stderr.write(f"{problem}\n")
        return REFUSED
    os.execve(order["command"][0], order["command"], order["environ"])  # noqa: S606 - what the agent has told us


def _become(order: dict[str, Any]) -> str:
    """Why it did not work, in a sentence."""
    name, ids = order["name"], Ids(order["uid"], order["gid"], tuple(order["groups"]))
    barriers = privileges.barriers(map(Path, order["needed"]), ids)
    try:
        privileges.see_through(barriers)
    except OSError as error:
        closed = ", ".join(map(str, barriers))
        return f"User {name} can't enter {closed}, and the agent can't make what the run needs visible there ({error.strerror})."
    try:
        privileges.become(ids)
    except OSError as error:
        return f"The agent can't become user {name} ({error.strerror}); it needs the capabilities SETUID and SETGID."
    os.umask(_UMASK)
    if order["code"] is not None and not os.access(order["code"], os.R_OK):
        return f"User {name} can't read {order['code']}; open it and the folders above it to this user, or let the server keep the code as a bundle."
    try:
        os.chdir(order["cwd"])
    except OSError as error:
        return (
            f"User {name} can't enter {order['cwd']} ({error.strerror}); open it to this user, or change working_dir."
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
