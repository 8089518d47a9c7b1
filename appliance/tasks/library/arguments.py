"""Arguments of tasks: set when a task is created or when it is called, and secrets among them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from appliance.core import masking
from appliance.core.errors import TaskDefinitionError
from appliance.core.secrets import Secret
from appliance.tasks.library.errors import MissingArgument

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def defaults_from_attrs(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates `run`: arguments with these names that are omitted or None have the value of the task's attribute of the same name."""

    def decorate(run: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(run)
        unknown = [name for name in names if name not in signature.parameters]
        if unknown:
            raise TaskDefinitionError(f"run() has no argument {unknown[0]!r}; remove it from defaults_from_attrs.")

        @functools.wraps(run)
        def with_defaults(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            task = given[next(iter(signature.parameters))]
            for name in names:
                if given.get(name) is None:
                    kwargs[name] = getattr(task, name)
                    given[name] = kwargs[name]
            return run(**given)  # type: ignore[call-arg]

        return with_defaults

    return decorate


def needed(task: Any, name: str, value: T | None) -> T:
    """The value of an argument. Raises MissingArgument if there is none."""
    if value is None:
        kind = type(task).__name__
        raise MissingArgument(f"{kind} has no {name}; set it with {kind}({name}=...), or when you call the task.")
    return value


def needed_path(task: Any, name: str, value: str | Path | None) -> Path:
    """The same for a path."""
    return Path(needed(task, name, None if value is None else str(value)))


def credential(name: str, value: Secret | None) -> Secret | None:
    """An option that must not be stored with the flow. Raises TypeError for the value itself."""
    if value is not None and not isinstance(value, Secret):
        raise TypeError(f"{name} must be a secret, such as Secret('NAME'), so that it isn't stored with the flow.")
    return value


def revealed(value: str | Secret | None) -> str | None:
    """The text itself, which is masked from now on."""
    if isinstance(value, Secret):
        return str(value.get())
    if value is not None:
        masking.hide(value)
    return value


def resolved(values: Mapping[str, str | Secret] | None) -> dict[str, str]:
    """A mapping in which secrets are replaced by their values. Other values aren't masked."""
    return {key: str(value.get()) if isinstance(value, Secret) else str(value) for key, value in (values or {}).items()}
