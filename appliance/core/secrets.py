"""Secrets in flows: `Secret("NAME").get()` inside tasks, and tasks whose result is a secret.

A value comes from the run context (`flow.run(context={"secrets": {...}})`), from `APPLIANCE_SECRET_<NAME>` in the environment or the file
that `APPLIANCE_SECRET_<NAME>_FILE` names, from the file `<NAME>` in the folder `APPLIANCE_SECRETS_DIR`, or from the server, in that order;
an agent passes these variables on to its runs. The server gives runs under an agent the secrets that their flow declares. Every value read
is masked in the run's log lines, in output that `log_stdout` takes, in tracebacks and in state messages: plain, as repr, in JSON, in URLs
and in base64. Not masked: values of fewer than four characters, values that were split or changed, and results; in a plain `flow.run()`,
neither are other loggers and what is printed without `log_stdout`. Under an agent, everything that reaches the log of the run is masked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.core import masking, served_secrets
from appliance.core.building import active_flow
from appliance.core.context import context
from appliance.core.errors import FlowBuildError, SecretError, TaskDefinitionError
from appliance.core.states import State, Success
from appliance.core.task import Task
from appliance.core.task_options import secrets_of
from appliance.kit import env, json_texts
from appliance.kit.options import flag
from appliance.kit.secret_names import MOST_BYTES, is_name, name_problem

if TYPE_CHECKING:
    from appliance.core.flow import Flow

_STORING = ("target", "result", "cache_for", "cache_key", "cache_validator")
_MOST_FILES = 1_000


def declared_by(flow: Flow) -> tuple[str, ...]:
    """The names of the secrets that runs of the flow may read from the server, sorted."""
    owners: tuple[Flow | Task, ...] = (flow, *flow.tasks)
    handlers = (handler for owner in owners for handler in owner.state_handlers)
    readers: tuple[Any, ...] = (*owners, *handlers)
    return tuple(sorted({name for one in readers for name in getattr(one, "secrets", ())}))


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold secrets or say where they are, for a process with another working directory."""
    own = {name: value for name, value in environ.items() if name.startswith(f"{env.SECRET}_")}
    own = {name: str(Path(value).absolute()) if _is_file(name, value) else value for name, value in own.items()}
    folder = environ.get(env.SECRETS_DIR)
    return own | {env.SECRETS_DIR: str(Path(folder).absolute())} if folder else own


def contents(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold the same secrets, for a process that can't read the files of this one."""
    values: dict[str, str] = {}
    own = variables(environ)
    folder = own.pop(env.SECRETS_DIR, None)
    files = {} if folder is None else {f"{env.SECRET}_{_variable(file.name)}": file for file in _files_in(folder)}
    for name, value in own.items():
        if _is_file(name, value):
            files[name.removesuffix("_FILE")] = Path(value)
    for name, file in files.items():
        with suppress(OSError, UnicodeDecodeError):  # the run says that it has no such secret
            values[name] = file.read_text(encoding="utf-8").rstrip("\r\n")
    return values | {name: value for name, value in own.items() if not _is_file(name, value)}


def hide_all(environ: Mapping[str, str]) -> None:
    """Mask every secret in the environment, even if no task reads it: a task may print its environment."""
    for name, value in variables(environ).items():
        if name != env.SECRETS_DIR and not _is_file(name, value):
            masking.hide(value)
            continue
        for file in _files_in(value) if name == env.SECRETS_DIR else [Path(value)]:
            with suppress(OSError, UnicodeDecodeError):  # reading the secret says what is wrong with its file
                masking.hide(file.read_text(encoding="utf-8").rstrip("\r\n"))


def _is_file(name: str, value: str) -> bool:
    """Does the variable name a file? A secret's own name may end in _FILE, too."""
    try:
        return name.endswith("_FILE") and Path(value).is_file()
    except OSError:  # such as a value that is too long for a path
        return False


def _files_in(folder: str) -> Iterator[Path]:
    """The files that can be secrets; not more and no longer ones than a site has of them."""
    with suppress(OSError):
        for file in sorted(Path(folder).iterdir())[:_MOST_FILES]:
            with suppress(OSError):
                if is_name(file.name) and file.is_file() and file.stat().st_size <= MOST_BYTES:
                    yield file


class Secret:
    """A secret by its name; nothing is read before `get`."""

    def __init__(self, name: str) -> None:
        """Raises SecretError for a name that no secret can have."""
        if not isinstance(name, str) or not is_name(name):
            raise SecretError(name_problem(str(name)))
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
        here = in_environment(self.name)
        if here is not None:
            return here
        served = served_secrets.get(self.name)
        if isinstance(served, str):
            return served
        variable = _variable(self.name)
        places = (
            f"the secrets of the run's context, {env.SECRET}_{variable}, {env.SECRET}_{variable}_FILE, "
            f"and the folder that {env.SECRETS_DIR} names"
        )
        if served is None:
            raise SecretError(
                f"Secret {self.name!r} was not found in {places}; set one of them. The server gives its secrets only to runs under an agent."
            )
        raise SecretError(f"Secret {self.name!r} was not found. The server: {served} It also isn't in {places}.")

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=json_texts.unique)
        except json_texts.RepeatedKey:  # whose name may be secret, too
            raise SecretError(f"Secret {self.name!r} has the same key twice in one JSON object; remove one.") from None
        except ValueError:
            raise SecretError(f"Secret {self.name!r} is not valid JSON; read it as text.") from None


def in_environment(name: str) -> str | None:
    """The value in a variable, in the file that one names, or in the folder with secrets. Raises SecretError for what can't be read."""
    variable = _variable(name)
    try:
        values = env.read(os.environ, env.SECRET, (variable,), keep_empty=True)
    except ValueError as error:
        raise SecretError(str(error)) from None
    return values[variable] if variable in values else _in_folder(name)


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()


def _in_folder(name: str) -> str | None:
    folder = os.environ.get(env.SECRETS_DIR)
    if not folder:
        return None
    try:
        return (Path(folder) / name).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SecretError(f"The file {name} in the folder that {env.SECRETS_DIR} names can't be read: {why}.") from None


def for_another_process() -> dict[str, served_secrets.Served] | None:
    """What the server gives this run and its environment doesn't, for code that runs where nobody can ask the server; None without one."""
    names = served_secrets.declared()
    return None if names is None else {name: value for name in names if (value := _only_served(name)) is not None}


def _only_served(name: str) -> served_secrets.Served | None:
    try:
        return None if in_environment(name) is not None else served_secrets.get(name)
    except SecretError:
        return None


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
    """`SecretTask("NAME")` in a flow passes the secret to the tasks that take it; `as_json` parses it first. Called with a `name` that only
    the run knows, it reads that secret, which the flow must declare."""

    def __init__(self, name: str | None = None, as_json: bool = False, **options: Any) -> None:
        """Takes the options of Task; its result is never stored. It declares the secret of its own name."""
        secret = None if name is None else Secret(name)
        if secret is not None:
            options["secrets"] = (name, *secrets_of(options.get("secrets")))
        super().__init__(name or type(self).__name__, **options)
        self.secret, self.as_json = secret, flag("as_json", as_json)

    def run(self, name: str | None = None) -> Any:
        secret = self.secret if name is None else Secret(name)
        if secret is None:
            raise SecretError('The task has no name of a secret; write SecretTask("NAME"), or call it with name=....')
        return secret.get(as_json=bool(self.as_json))


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
