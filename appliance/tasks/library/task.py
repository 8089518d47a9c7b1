"""The class of all tasks of the library: options that type checkers know, secrets that it declares, and retries by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from appliance.core import retries
from appliance.core.cache_validators import Validator
from appliance.core.results import Result, Template
from appliance.core.secrets import Secret
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_options import StateHandler, secrets_of
from appliance.core.triggers import Trigger
from appliance.tasks.library.errors import Unreachable

RETRIES = 2
RETRY_DELAY = retries.exponential_backoff(2, factor=5)


class TaskOptions(TypedDict, total=False):
    """The options of every task."""

    name: str | None
    slug: str | None
    tags: Iterable[str] | None
    max_retries: int
    retry_delay: retries.DelayOption
    retry_on: type[BaseException] | Iterable[type[BaseException]] | None
    retry_jitter: float
    timeout: float | timedelta | None
    trigger: Trigger[Task] | None
    skip_on_upstream_skip: bool | None
    checkpoint: bool | None
    state_handlers: Iterable[StateHandler] | None
    on_failure: Callable[[Any, State], State | None] | None
    log_stdout: bool | None
    task_run_name: str | Callable[..., str] | None
    nout: int | None
    cache_for: timedelta | None
    cache_validator: Validator | None
    cache_key: str | None
    result: Result | None
    target: Template | None
    secrets: Iterable[Any] | None
    never_repeat: bool | None


def task_options(options: Any) -> TaskOptions:
    """What is left of a subject's own options once these are taken out."""
    rest: TaskOptions = options
    return rest


class LibraryTask(Task):
    """A task that is retried twice, after 2 and 10 seconds, when the other side can't be reached, unless `max_retries` says otherwise.

    It declares the secrets that it was created with, so that the server gives them to its runs.
    """

    def __init__(self, *arguments: object, **options: Unpack[TaskOptions]) -> None:
        """`arguments` may contain secrets, also as values of a mapping."""
        if "max_retries" not in options:
            options["max_retries"] = RETRIES
            options.setdefault("retry_delay", RETRY_DELAY)
            options.setdefault("retry_on", Unreachable)
        declared = [one for each in arguments for one in _secrets_in(each)]
        if declared:
            options["secrets"] = (*secrets_of(options.get("secrets")), *declared)
        super().__init__(**options)


def _secrets_in(value: object) -> Iterable[Secret]:
    values = value.values() if isinstance(value, Mapping) else [value]
    return [one for one in values if isinstance(one, Secret)]
