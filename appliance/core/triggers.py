"""Triggers decide from the upstream states whether a task may run.

A trigger gets `{Edge: State}` and returns True, or raises a signal: TRIGGERFAIL (do not run), SKIP or PAUSE. A reduced upstream
task stands for all its mapped children. Skipped counts as success. A task without upstream tasks always runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, overload

from appliance.core.async_functions import is_async, plain_value
from appliance.core.context import context
from appliance.core.edge import Edge, Named
from appliance.core.errors import TaskDefinitionError
from appliance.core.scalars import is_number
from appliance.core.signals import PAUSE, SKIP, TRIGGERFAIL
from appliance.core.states import Failed, Mapped, State, Success
from appliance.core.task_options import refuse_uncalled

T = TypeVar("T", bound=Named)
Upstream = Mapping[Edge[T], State]
Trigger = Callable[[Upstream[T]], bool]


def expanded(upstream: Upstream[T]) -> list[State]:
    """The upstream states, with each Mapped one replaced by its children where they are known."""
    states: list[State] = []
    for state in upstream.values():
        if isinstance(state, Mapped) and state.map_states:
            states.extend(state.map_states)
        else:
            states.append(state)
    return states


def all_successful(upstream: Upstream[T]) -> bool:
    """Run when every upstream task succeeded."""
    for state in upstream.values():
        if not isinstance(state, Success) or (
            isinstance(state, Mapped) and not all(s.is_successful() for s in state.map_states)
        ):
            raise TRIGGERFAIL('Trigger was "all_successful" but some of the upstream tasks failed.')
    return True


def all_failed(upstream: Upstream[T]) -> bool:
    """Run when every upstream task failed."""
    if not all(isinstance(state, Failed) for state in expanded(upstream)):
        raise TRIGGERFAIL('Trigger was "all_failed" but some of the upstream tasks succeeded.')
    return True


def any_successful(upstream: Upstream[T]) -> bool:
    """Run when at least one upstream task succeeded."""
    if upstream and not any(isinstance(state, Success) for state in expanded(upstream)):
        raise TRIGGERFAIL('Trigger was "any_successful" but none of the upstream tasks succeeded.')
    return True


def any_failed(upstream: Upstream[T]) -> bool:
    """Run when at least one upstream task failed."""
    if upstream and not any(isinstance(state, Failed) for state in expanded(upstream)):
        raise TRIGGERFAIL('Trigger was "any_failed" but none of the upstream tasks failed.')
    return True


def all_finished(upstream: Upstream[T]) -> bool:
    """Run when every upstream task is over, however it ended."""
    if not all(state.is_finished() for state in expanded(upstream)):
        raise TRIGGERFAIL('Trigger was "all_finished" but some of the upstream tasks are not finished.')
    return True


always_run = all_finished


@overload
def manual_only(upstream: Upstream[T]) -> bool: ...
@overload
def manual_only(upstream: Trigger[T]) -> Trigger[T]: ...
def manual_only(upstream: Upstream[T] | Trigger[T]) -> bool | Trigger[T]:
    """Wait for a person to resume the task, once every upstream task has succeeded.

    `manual_only(all_finished)` asks once that other trigger holds.
    """
    if not callable(upstream):
        return _ask(all_successful, upstream, "manual_only")
    refuse_uncalled(upstream)
    if is_async(upstream):
        raise TaskDefinitionError("manual_only needs a plain function as its trigger, not an async one.")
    first, inner = upstream, getattr(upstream, "__name__", "custom")

    def trigger(upstream: Upstream[T]) -> bool:
        return _ask(first, upstream, name)

    trigger.__name__ = trigger.__qualname__ = name = f"manual_only({inner})"
    trigger.__doc__ = f"Wait for a person once {inner} holds."
    return trigger


def _ask(first: Trigger[T], upstream: Upstream[T], name: str) -> bool:
    if not plain_value("The trigger of manual_only", first(upstream)):
        return False
    if not context.get("resume"):
        raise PAUSE(f'Trigger was "{name}"; resume the task to let it run.')
    return True


def not_all_skipped(upstream: Upstream[T]) -> bool:
    """Run when nothing failed and not everything was skipped."""
    states = expanded(upstream)
    if states and all(state.is_skipped() for state in states):
        raise SKIP("All upstream tasks were skipped.")
    if not all(isinstance(state, Success) for state in states):
        raise TRIGGERFAIL('Trigger was "not_all_skipped" but some of the upstream tasks failed.')
    return True


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger[T]:
    """Run when the number of failed upstream tasks is within the range; values below 1 are proportions."""
    return _some("some_failed", Failed, at_least, at_most)


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger[T]:
    """Run when the number of successful upstream tasks is within the range; values below 1 are proportions."""
    return _some("some_successful", Success, at_least, at_most)


def _some(kind: str, state_class: type[State], at_least: float | None, at_most: float | None) -> Trigger[T]:
    name = f"{kind}(at_least={at_least}, at_most={at_most})"
    for bound in (at_least, at_most):
        if bound is not None and (not is_number(bound) or not bound >= 0):
            raise TaskDefinitionError(f"The bounds of {name} must be counts, or proportions below 1.")

    def trigger(upstream: Upstream[T]) -> bool:
        if not upstream:
            return True
        states = expanded(upstream)
        count = sum(isinstance(state, state_class) for state in states)
        low = 0.0 if at_least is None else at_least * len(states) if at_least < 1 else at_least
        high = len(states) if at_most is None else at_most * len(states) if at_most < 1 else at_most
        if not low <= count <= high:
            raise TRIGGERFAIL(f'Trigger was "{name}" but it counted {count} of {len(states)} upstream tasks.')
        return True

    trigger.__name__ = trigger.__qualname__ = name
    trigger.__doc__ = f"Run when {name.replace('_', ' ')} holds for the upstream tasks."
    return trigger
