"""What each option of a task may be. Each function takes the author's value and returns it in the form that the engine uses."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from appliance.core import retries
from appliance.core.async_functions import refuse_async
from appliance.core.errors import SecretError, TaskDefinitionError
from appliance.core.scalars import is_number, is_whole
from appliance.core.states import Failed, State
from appliance.kit import options
from appliance.kit.errors import ApplianceError
from appliance.kit.option_names import refuse_unknown
from appliance.kit.secret_names import is_name, name_problem

StateHandler = Callable[[Any, State, State], State | None]
MOST_RESULTS = 10_000


def tags_of(tags: Iterable[str] | None) -> frozenset[str]:
    return options.strings("tags", tags)


def name_of(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TaskDefinitionError("The name of a task must be a string that is not empty.")
    return name


def secrets_of(secrets: Any) -> tuple[str, ...]:
    """The names, sorted; of a secret itself, its name. Raises TypeError or SecretError."""
    if isinstance(secrets, str):
        raise TypeError(f"secrets must be a list of names; write [{secrets!r}].")
    options.require("secrets", secrets, Iterable, "a list of names")
    names: set[str] = set()
    for item in secrets or ():
        name = item if isinstance(item, str) else getattr(item, "name", None)
        if not isinstance(name, str):
            raise TypeError("secrets must be a list of names.")
        if not is_name(name):
            raise SecretError(name_problem(name))
        names.add(name)
    return tuple(sorted(names))


def slug_of(slug: Any) -> str | None:
    if slug is not None and (not isinstance(slug, str) or not slug):
        raise TaskDefinitionError("slug must be a string that is not empty.")
    return slug


def flag_of(name: str) -> Callable[[Any], bool | None]:
    """For options that are on, off, or None where the default applies."""
    return functools.partial(options.flag, name)


def timeout_of(
    timeout: float | timedelta | None, option: str = "timeout", error: type[ApplianceError] = TaskDefinitionError
) -> float | None:
    """In seconds."""
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not is_number(seconds):
        raise TypeError(f"{option} must be a number of seconds or a timedelta.")
    if not 0 < seconds <= retries.LONGEST_WAIT.total_seconds():  # NaN is not, either
        raise error(f"{option} must be more than zero seconds and at most 365 days.")
    return int(seconds) if is_whole(seconds) else float(seconds)


def nout_of(nout: int | None) -> int | None:
    if nout is None:
        return None
    if not is_whole(nout) or not 0 <= nout <= MOST_RESULTS:
        raise TaskDefinitionError(f"nout must be a whole number from 0 to {MOST_RESULTS:,}.")
    return int(nout)


def trigger_of(trigger: Any) -> Any:
    refuse_uncalled(trigger)
    if not callable(trigger):
        raise TypeError("trigger must be a function of the upstream states, such as triggers.any_failed.")
    refuse_async("trigger", trigger)
    return trigger


def template_of(name: str) -> Callable[[Any], Any]:
    """For options that are a template or a function that returns a string."""

    def template(value: Any) -> Any:
        if value is not None and not isinstance(value, str) and not callable(value):
            raise TypeError(f"{name} must be a template such as '{{flow_name}}-{{date:%Y-%m-%d}}' or a function.")
        refuse_async(name, value)
        return value

    return template


def cache_for_of(period: Any) -> timedelta | None:
    if period is not None and not isinstance(period, timedelta):
        raise TypeError("cache_for must be a timedelta.")
    if period is not None and period <= timedelta(0):
        raise TaskDefinitionError("cache_for must be more than zero.")
    return period


def validator_of(validator: Any) -> Any:
    refuse_uncalled(validator)
    if validator is not None and not takes(validator, 3):
        raise TypeError("cache_validator must be a function of (state, inputs, parameters), such as all_inputs.")
    refuse_async("cache_validator", validator)
    return validator


def cache_key_of(key: Any) -> str | None:
    if key is not None and not isinstance(key, str):
        raise TypeError("cache_key must be a string.")
    return key


def result_of(result: Any) -> Any:
    if result is None:
        return None
    from appliance.core.results import Result  # asked for by those who give one only

    if not isinstance(result, Result):
        raise TypeError("result must be a place for results, such as LocalResult(...).")
    return result


def state_handlers_of(
    handlers: Any, on_failure: Callable[[Any, State], State | None] | None = None
) -> tuple[StateHandler, ...]:
    """The handlers of a task or a flow, with `on_failure` last."""
    listed = handlers is None or (isinstance(handlers, Iterable) and not callable(handlers))
    functions: tuple[StateHandler, ...] = tuple(handlers or ()) if listed else ()
    if not listed or not all(takes(handler, 3) for handler in functions):
        raise TypeError("state_handlers must be a list of functions (task, old_state, new_state).")
    for handler in functions:
        refuse_async("A state handler", handler)
    if on_failure is None:
        return functions
    if not takes(on_failure, 2):
        raise TypeError("on_failure must be a function (task, state).")
    refuse_async("on_failure", on_failure)

    def when_failed(target: Any, _old: State, new: State) -> State | None:
        return on_failure(target, new) if isinstance(new, Failed) else None

    when_failed.__name__ = getattr(on_failure, "__name__", "on_failure")
    when_failed.secrets = getattr(on_failure, "secrets", ())  # type: ignore[attr-defined]
    return (*functions, when_failed)


def takes(function: Any, count: int) -> bool:
    """Can it be called with so many arguments by position?"""
    if not callable(function):
        return False
    try:
        signature = inspect.signature(function)
    except (
        TypeError,
        ValueError,
    ):  # silent about its arguments: written in C, or an async mock of an early Python 3.11
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


_FACTORIES = {
    "partial_inputs_only": "partial_inputs_only(['x'])",
    "partial_parameters_only": "partial_parameters_only(['x'])",
    "some_failed": "some_failed(at_least=1)",
    "some_successful": "some_successful(at_least=1)",
}


def refuse_uncalled(value: Any) -> None:
    """Passed as they are, these would be taken for what they make, and always hold."""
    if inspect.isfunction(value) and value.__module__.startswith("appliance.core.") and value.__name__ in _FACTORIES:
        raise TypeError(f"{value.__name__} must be called first; write {_FACTORIES[value.__name__]}.")


FORMS: dict[str, Callable[[Any], Any]] = {
    "name": name_of,
    "slug": slug_of,
    **{name: flag_of(name) for name in ("skip_on_upstream_skip", "checkpoint", "log_stdout", "never_repeat")},
    "tags": tags_of,
    "max_retries": retries.count_of,
    "retry_delay": retries.delay_of,
    "retry_on": retries.exceptions_of,
    "retry_jitter": retries.jitter_of,
    "timeout": timeout_of,
    "trigger": trigger_of,
    "task_run_name": template_of("task_run_name"),
    "nout": nout_of,
    "state_handlers": state_handlers_of,
    "on_failure": lambda function: state_handlers_of(None, function),
    "cache_for": cache_for_of,
    "cache_validator": validator_of,
    "cache_key": cache_key_of,
    "result": result_of,
    "target": template_of("target"),
    "secrets": secrets_of,
}


def changed_options(task: Options, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that these options change. Tags and `on_failure` are added to what the task has."""
    refuse_unknown("task_args", changes, FORMS)
    new = {key: FORMS[key](value) for key, value in changes.items()}
    if "tags" in new:
        new["tags"] |= task.tags
    if "on_failure" in new:
        new["state_handlers"] = (*new.get("state_handlers", task.state_handlers), *new.pop("on_failure"))
    return new


class Located(Protocol):
    """A place for results that may have a location of its own."""

    @property
    def location(self) -> object: ...


class Options(Protocol):
    """The options of a task that may contradict each other."""

    @property
    def name(self) -> str: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def state_handlers(self) -> tuple[StateHandler, ...]: ...
    @property
    def max_retries(self) -> int: ...
    @property
    def retry_delay(self) -> retries.Delay | None: ...
    @property
    def cache_for(self) -> timedelta | None: ...
    @property
    def cache_validator(self) -> object | None: ...
    @property
    def cache_key(self) -> str | None: ...
    @property
    def checkpoint(self) -> bool | None: ...
    @property
    def target(self) -> object | None: ...
    @property
    def result(self) -> Located | None: ...
    def accepts(self, key: str) -> bool: ...


def check_together(task: Options) -> None:
    """Check for options that contradict each other: an error where the task could not work, otherwise a warning."""
    if task.max_retries and task.retry_delay is None:
        raise TaskDefinitionError(
            f"Task {task.name!r} has max_retries but no retry_delay; give retry_delay=timedelta(...)."
        )
    if not task.max_retries:
        option = next((name for name in ("retry_delay", "retry_on", "retry_jitter") if getattr(task, name)), None)
        if option is not None or task.retry_delay is not None:
            option = option or "retry_delay"
            article = "a " if option == "retry_delay" else ""
            raise TaskDefinitionError(
                f"Task {task.name!r} has {article}{option} but no max_retries; give max_retries=... too."
            )
    for option in ("cache_validator", "cache_key"):
        if getattr(task, option) is not None and task.cache_for is None:
            warnings.warn(f"Task {task.name!r} has a {option} but is not cached; give cache_for=... too.", stacklevel=4)
    if task.checkpoint is False:
        for option in ("target", "result", "cache_for"):
            if getattr(task, option) is not None:
                warnings.warn(
                    f"Task {task.name!r} has {option}=... but its result is not stored; remove checkpoint=False.",
                    stacklevel=4,
                )
    if task.target is not None and task.result is not None and task.result.location is not None:
        warnings.warn(
            f"Task {task.name!r} has a target and a result with a location; the target is used.", stacklevel=4
        )


def check_inputs(task: Options) -> None:
    """Refuse a validator that compares inputs which the task does not have."""
    for name in sorted(getattr(task.cache_validator, "inputs", None) or ()):
        if not task.accepts(name):
            raise TaskDefinitionError(
                f"The cache_validator of task {task.name!r} compares {name!r}, which run() does not take."
            )
