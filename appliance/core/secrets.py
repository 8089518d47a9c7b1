"""Secrets in flows: `Secret("NAME").get()` inside tasks, and tasks whose result is a secret.

A value comes from the run context (`flow.run(context={"secrets": {...}})`), from `APPLIANCE_SECRET_<NAME>` in the environment, or
from the file that `APPLIANCE_SECRET_<NAME>_FILE` names; an agent passes these variables on to its runs. Every value read is masked in
the run's log lines, in output that `log_stdout` takes, in tracebacks and in state messages: plain, as repr, in JSON, in URLs and in
base64. Not masked: values of fewer than four characters, values that were split or changed, and results; in a plain `flow.run()`,
neither are other loggers and what is printed without `log_stdout`. Under an agent, everything that reaches the log of the run is masked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from appliance.core import masking
from appliance.core.building import active_flow
from appliance.core.context import context
from appliance.core.errors import FlowBuildError, SecretError, TaskDefinitionError
from appliance.core.states import State, Success
from appliance.core.task import Task
from appliance.kit import env, json_texts
from appliance.kit.options import flag

PREFIX = "APPLIANCE_SECRET"
_STORING = ("target", "result", "cache_for", "cache_key", "cache_validator")


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold secrets, for a process with another working directory."""
    own = {name: value for name, value in environ.items() if name.startswith(f"{PREFIX}_")}
    return {name: str(Path(value).absolute()) if _is_file(name, value) else value for name, value in own.items()}


def hide_all(environ: Mapping[str, str]) -> None:
    """Mask every secret in the environment, even if no task reads it: a task may print its environment."""
    for name, value in variables(environ).items():
        if not _is_file(name, value):
            masking.hide(value)
            continue
        with suppress(OSError, UnicodeDecodeError):  # reading the secret says what is wrong with its file
            masking.hide(Path(value).read_text(encoding="utf-8").rstrip("\r\n"))


def _is_file(name: str, value: str) -> bool:
    """Does the variable name a file? A secret's own name may end in _FILE, too."""
    try:
        return name.endswith("_FILE") and Path(value).is_file()
    except OSError:  # such as a value that is too long for a path
        return False


class Secret:
    """A secret by its name; nothing is read before `get`."""

    def __init__(self, name: str) -> None:
        """Raises SecretError for a name that no environment variable can have."""
        if not isinstance(name, str) or not name.isascii() or not name.replace("-", "_").isidentifier():
            raise SecretError(f"{name!r} is not a valid name of a secret; use letters, digits and underscores.")
        self.name = name

    def __repr__(self) -> str:
        return f"<Secret {self.name}>"

    def get(self, as_json: bool = False) -> Any:
        """The value; with `as_json`, parsed as JSON.

        Raises SecretError when it is missing or not JSON, and FlowBuildError while a flow is being built, since the value
        would become part of the flow.
        """
        if active_flow.get() is not None:
            raise FlowBuildError(
                f"Secret {self.name!r} was read while a flow is being built; read it inside a task, or use SecretTask({self.name!r})."
            )
        value = self._find()
        if isinstance(value, str):
            masking.hide(value)
            if as_json:
                value = self._parsed(value)
        masking.hide(*masking.texts(value))
        return value

    def _find(self) -> Any:
        secrets = context.get("secrets")
        if isinstance(secrets, Mapping) and self.name in secrets:
            return secrets[self.name]
        variable = self.name.replace("-", "_").upper()
        try:
            values = env.read(os.environ, PREFIX, (variable,), keep_empty=True)
        except ValueError as error:
            raise SecretError(str(error)) from None
        if variable not in values:
            raise SecretError(
                f"Secret {self.name!r} was not found; set {PREFIX}_{variable}, or {PREFIX}_{variable}_FILE to the file that holds it."
            )
        return values[variable]

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=json_texts.unique)
        except json_texts.RepeatedKey:  # whose name may be secret, too
            raise SecretError(f"Secret {self.name!r} has the same key twice in one JSON object; remove one.") from None
        except ValueError:
            raise SecretError(f"Secret {self.name!r} is not valid JSON; read it as text.") from None


class _Secretive(Task):
    """A task whose result is a secret: never stored, read again in every attempt, masked wherever the run shows text."""

    always_rerun = True

    def __init__(self, name: str, **options: Any) -> None:
        for option in _STORING:
            if options.get(option) is not None:
                raise TaskDefinitionError(
                    f"Secret task {name!r} can't have {option}: a secret is never stored; remove it."
                )
        super().__init__(name=name, **options | {"checkpoint": False})
        self.state_handlers = (_hide_result, *self.state_handlers)


def _hide_result(_task: Any, _old: State, new: State) -> None:
    """The code may have run in another process; this one now masks the value too."""
    if isinstance(new, Success):
        masking.hide(*masking.texts(new.result))


class SecretTask(_Secretive):
    """`SecretTask("NAME")` in a flow passes the secret to the tasks that take it; `as_json` parses it first."""

    def __init__(self, name: str, as_json: bool = False, **options: Any) -> None:
        """Takes the options of Task; its result is never stored."""
        super().__init__(name, **options)
        self.secret, self.as_json = Secret(name), flag("as_json", as_json)

    def run(self) -> Any:
        return self.secret.get(as_json=bool(self.as_json))


class EnvVarSecret(_Secretive):
    """The value of an environment variable as a secret; None when it is not set, or with `raise_if_missing` a failure."""

    def __init__(self, name: str, raise_if_missing: bool = False, **options: Any) -> None:
        """Takes the options of Task; its result is never stored."""
        super().__init__(name, **options)
        self.variable, self.raise_if_missing = name, flag("raise_if_missing", raise_if_missing)

    def run(self) -> str | None:
        value = os.environ.get(self.variable)
        if value is None and self.raise_if_missing:
            raise SecretError(f"Environment variable {self.variable} is not set; set it where the run starts.")
        if value is not None:
            masking.hide(value)
        return value
