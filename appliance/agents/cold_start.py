"""Starts the process of a run from nothing: `python -m appliance.agents.execute`, as the agent's user or as an account."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.agents import become
from appliance.agents.agent import system_error
from appliance.agents.run_users import Account
from appliance.agents.zygote import OUTPUT_FLAGS


def start(
    python: str,
    environ: Mapping[str, str],
    cwd: Path,
    output: Path,
    visible: Mapping[str, str],
    held: Sequence[int] = (),
    *,
    account: Account | None = None,
    needed: Sequence[Path] = (),
    code: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start the process with the variables that anyone may see; it reads all of them from a file without a name. It keeps `held` open. As an account, it
    can reach what is `needed` and has to be able to read the file `code`. Raises StartFailed, or NotStarted.
    """
    handed = become.file_of(dict(environ))
    # -P: files next to the flow must not shadow our imports
    command = [python, "-P", "-m", "appliance.agents.execute", str(handed)]
    seen = {"PYTHONUNBUFFERED": "1", **visible}
    try:
        new = os.O_EXCL if account is not None else 0  # another run of the account may have put a link or a pipe there
        with os.fdopen(os.open(output, OUTPUT_FLAGS | new, 0o600), "ab") as file:
            if account is not None:
                os.fchown(file.fileno(), account.ids.uid, account.ids.gid)
                return become.start(
                    account,
                    command,
                    environ=seen,
                    cwd=cwd,
                    needed=needed,
                    output=file,
                    held=[handed, *held],
                    code=code,
                )
            return subprocess.Popen(
                command,
                cwd=cwd,
                env=seen,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[handed, *held],
            )
    except OSError as error:
        raise system_error("The run's process could not be started", error) from error
    finally:
        os.close(handed)
