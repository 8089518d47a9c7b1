"""Commands in a shell: their output in the run's log as it comes, their exit code, and an end of all their processes."""

from __future__ import annotations

import logging
import shlex
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

from appliance.core import masking
from appliance.core.secrets import Secret
from appliance.tasks.library.arguments import defaults_from_attrs, needed, resolved
from appliance.tasks.library.errors import CommandFailed
from appliance.tasks.library.processes import run_command
from appliance.tasks.library.task import LibraryTask, TaskOptions

__all__ = ["ShellTask"]
_LAST_LINES = 5
"""How many lines of the output a failure shows."""


class ShellTask(LibraryTask):
    """Runs a command, and returns the last line that it wrote to stdout, or with `return_all` a list of all lines.

    `env` is added to the environment of the run; its values may be secrets. `helper_script` is run before the command, in the same shell.
    `shell` may have options: `"bash -euo pipefail"` ends at the first command that fails. Output goes to the run's log line by line, at
    level INFO or the level that `stream_output` names; with `stream_output=False`, only stderr does, and only with `log_stderr`.
    Any other exit code than 0 fails the task with CommandFailed. Processes that the command has left behind are killed when it ends.
    """

    def __init__(
        self,
        command: str | None = None,
        env: Mapping[str, str | Secret] | None = None,
        helper_script: str | None = None,
        shell: str = "bash",
        return_all: bool = False,
        log_stderr: bool = False,
        stream_output: bool | int | str = True,
        cwd: str | Path | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(env, **options)
        self.command, self.env, self.helper_script, self.shell = command, env, helper_script, shell
        self.return_all, self.log_stderr, self.cwd = return_all, log_stderr, cwd
        self.stream_output = stream_output
        self._level = _level(stream_output)

    @defaults_from_attrs("command", "env", "helper_script", "cwd")
    def run(
        self,
        command: str | None = None,
        env: Mapping[str, str | Secret] | None = None,
        helper_script: str | None = None,
        cwd: str | Path | None = None,
    ) -> str | list[str] | None:
        """Raises CommandFailed."""
        script = "\n".join([*([helper_script] if helper_script else []), needed(self, "command", command)])
        output: deque[str] = deque(maxlen=None if self.return_all else 1)
        last: deque[str] = deque(maxlen=_LAST_LINES)

        def on_line(stream: str, line: str) -> None:
            if self._level is not None or (self.log_stderr and stream == "stderr"):
                self.logger.log(self._level or logging.INFO, "%s", line)
            (output if stream == "stdout" else last).append(masking.mask(line))

        with tempfile.NamedTemporaryFile("w", prefix="appliance-command-", encoding="utf-8") as file:
            file.write(f"{script}\n")  # a file, since arguments are shown to every user of the machine
            file.flush()
            code = run_command(self, [*shlex.split(self.shell), file.name], on_line, resolved(env), cwd)
        if code != 0:
            raise CommandFailed(_failure(code, last or output), code)
        if self.return_all:
            return list(output)
        return output[-1] if output else None


def _failure(code: int, last: deque[str]) -> str:
    end = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    said = " / ".join(line.strip() for line in list(last)[-_LAST_LINES:] if line.strip())
    return f"The command {end}: {said}" if said else f"The command {end}."


def _level(stream_output: bool | int | str) -> int | None:
    """The level at which lines are logged; None if they aren't. Raises ValueError."""
    if isinstance(stream_output, bool):
        return logging.INFO if stream_output else None
    level = logging.getLevelNamesMapping().get(stream_output) if isinstance(stream_output, str) else stream_output
    if level is None:
        raise ValueError("stream_output must be True, False, or a level such as 'DEBUG'.")
    return level
