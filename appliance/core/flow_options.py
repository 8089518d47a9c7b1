"""What each option of a flow may be. Each function takes the author's value and returns it in the form that the flow keeps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appliance.core.async_functions import refuse_async
from appliance.core.errors import FlowBuildError
from appliance.core.run_config import RunConfig
from appliance.core.task_options import flag_of, result_of, secrets_of, state_handlers_of, takes, timeout_of
from appliance.kit.option_names import meant

if TYPE_CHECKING:
    from appliance.schedules.schedule import Schedule


def name_of(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise FlowBuildError('A flow needs a name: Flow("my-flow").')
    return name


def schedule_of(schedule: Any) -> Schedule | None:
    if schedule is None:
        return None
    from appliance.schedules.clocks import Clock  # loaded already by whoever made one
    from appliance.schedules.schedule import Schedule

    if isinstance(schedule, Clock):
        return Schedule([schedule])
    if not isinstance(schedule, Schedule):
        raise TypeError("schedule must be a schedule or a clock, such as CronSchedule('0 6 * * *').")
    return schedule


def instance_of(option: str, methods: tuple[str, ...], example: str) -> Callable[[Any], Any]:
    """For options whose class belongs to a layer above: an object with these methods, and not its class."""

    def instance(value: Any) -> Any:
        fits = all(callable(getattr(value, method, None)) for method in methods)
        if value is not None and (isinstance(value, type) or not fits):
            raise TypeError(f"{option} must be {example}.")
        return value

    return instance


def run_config_of(config: Any) -> RunConfig | None:
    if config is not None and not isinstance(config, RunConfig):
        raise TypeError("run_config must be a run config, such as LocalRun(env={...}).")
    return config


def run_timeout_of(timeout: float | timedelta | None) -> float | None:
    return timeout_of(timeout, "run_timeout", FlowBuildError)


def owner_of(owner: Any) -> str | None:
    if owner is not None and not (isinstance(owner, str) and 0 < len(owner.strip()) <= 200 and owner.isprintable()):
        raise FlowBuildError('owner must be one line of at most 200 characters, such as owner="data-team".')
    return owner


def terminal_state_handler_of(handler: Any) -> Any:
    if handler is not None and not takes(handler, 3):
        raise TypeError("terminal_state_handler must be a function (flow, state, states of the reference tasks).")
    refuse_async("terminal_state_handler", handler)
    return handler


FORMS: dict[str, Callable[[Any], Any]] = {
    "name": name_of,
    "schedule": schedule_of,
    "executor": instance_of("executor", ("open", "submit", "wait"), "an executor such as ThreadExecutor()"),
    "run_config": run_config_of,
    "storage": instance_of("storage", ("describe",), 'a storage such as Git("https://host/path")'),
    "state_handlers": state_handlers_of,
    "terminal_state_handler": terminal_state_handler_of,
    "result": result_of,
    "strict_tracking": flag_of("strict_tracking"),
    "log_stdout": flag_of("log_stdout"),
    "run_timeout": run_timeout_of,
    "secrets": secrets_of,
    "owner": owner_of,
}
"""The attributes of a flow that are options; they are checked whenever they are set."""
OF_EARLIER_RELEASES = {"log_stdout": None, "run_timeout": None, "secrets": (), "owner": None}
"""Options that pickled flows of earlier releases don't have."""


def warn_of_idle_attribute(name: str) -> None:
    """Warn if an attribute that someone sets on a flow looks like an option and is none."""
    option = meant(name, FORMS, 0.8)
    if option is not None:
        warnings.warn(f"A flow has no option {name!r}; did you mean flow.{option} = ...?", stacklevel=3)
