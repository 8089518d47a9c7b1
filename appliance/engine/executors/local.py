"""Runs every task at once, in this thread, in order. Mapped children wait until they are needed, which makes mapping depth-first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from appliance.core.states import Finished, State
from appliance.engine.executors.executor import Call, Executor, Handle, Upstream, reduced
from appliance.kit import clock


class _Deferred:
    """A call that has not been needed yet, or that is to be made (again) once `at` has come."""

    __slots__ = ("args", "at", "call", "state", "upstream")

    def __init__(self, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> None:
        self.call, self.upstream, self.args = call, upstream, args
        self.state: State | None = None
        self.at: datetime | None = None


class LocalExecutor(Executor):
    """One task after the other. What waits for a retry lets everything go first that does not depend on it."""

    parallel = False

    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        for value in upstream.values():
            if not isinstance(value, State):
                break
        else:
            if map_index < 0:
                state = call(upstream, *args)
                return state if isinstance(state, Finished) else self._later(state, call, upstream, args)
        deferred = _Deferred(call, upstream, args)
        if map_index < 0:
            self._advance(deferred)
        return deferred

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        found = list(handles)
        missing = [one for one in found if isinstance(one, _Deferred)]
        while missing:
            for one in missing:
                self._advance(one)
            missing = [one for one in missing if one.state is None]
            until = min(_times(missing), default=None)
            if until is not None:  # otherwise what they wait for has ended in this very round
                clock.sleep_until(until)
        return [_finished(one) for one in found]

    def _later(self, state: State, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> Handle:
        at = self.due(state)
        if at is None:
            return state
        deferred = _Deferred(call, upstream, args)
        deferred.at = at
        return deferred

    def _advance(self, handle: _Deferred) -> None:
        """Run a call after all it needs, as far as nothing waits for its time; without recursion, since chains may be long."""
        stack = [handle]
        while stack:
            top = stack[-1]
            if top.state is None:
                missing = [needed for needed in _needs(top.upstream) if needed.state is None]
                if missing:
                    if any(needed.at is not None and needed.at > clock.now() for needed in missing):
                        return
                    stack.extend(reversed(missing))
                    continue
                if not self._run(top):
                    return
            stack.pop()

    def _run(self, deferred: _Deferred) -> bool:
        if deferred.at is not None and deferred.at > clock.now():
            return False
        states = {edge: _finished(value) for edge, value in deferred.upstream.items()}
        state = deferred.call(states, *deferred.args)
        deferred.at = None if isinstance(state, Finished) else self.due(state)
        if deferred.at is not None:
            return False
        deferred.state = state
        deferred.upstream = {}
        return True


def _times(missing: list[_Deferred]) -> Iterable[datetime]:
    """When something that these wait for can go on."""
    stack, seen = list(missing), set[int]()
    while stack:
        top = stack.pop()
        if top.at is not None:
            yield top.at
        elif top.state is None and id(top) not in seen:
            seen.add(id(top))
            stack.extend(_needs(top.upstream))


def _needs(upstream: Upstream) -> list[_Deferred]:
    found: list[_Deferred] = []
    for value in upstream.values():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, _Deferred):
                found.append(one)
    return found


def _finished(value: Handle | list[Handle]) -> State:
    if isinstance(value, list):
        return reduced([_finished(one) for one in value])
    state = value.state if isinstance(value, _Deferred) else value
    assert isinstance(state, State)
    return state
