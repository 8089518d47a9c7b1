"""Runs every task immediately, in this thread, in order. Mapped children wait until they are needed, so mapping is depth-first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from appliance.core.states import Finished, State
from appliance.engine import overruns
from appliance.engine.executors.executor import Call, Executor, Handle, Upstream, reduced
from appliance.kit import clock


class _Deferred:
    """A call that has not been needed yet, or that must run (again) at the time `at`."""

    __slots__ = ("args", "at", "call", "state", "upstream")

    def __init__(self, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> None:
        self.call, self.upstream, self.args = call, upstream, args
        self.state: State | None = None
        self.at: datetime | None = None


class LocalExecutor(Executor):
    """Runs one task after another. While a task waits for a retry, everything that doesn't depend on it runs first."""

    parallel = False

    def submit(self, call: Call, upstream: Upstream, *args: Any, map_index: int = -1) -> Handle:
        for value in upstream.values():
            if not isinstance(value, State):
                break
        else:
            if map_index < 0:
                if overruns.alive:  # outside the main thread, where code can't be interrupted
                    overruns.outlast_those_of_this_thread()
                state = call(upstream, *args)
                return state if isinstance(state, Finished) else self._later(state, call, upstream, args)
        deferred = _Deferred(call, upstream, args)
        if map_index < 0:
            self._advance(deferred)
        return deferred

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        handles = list(handles)
        missing = [one for one in handles if isinstance(one, _Deferred)]
        while missing:
            for one in missing:
                self._advance(one)
            missing = [one for one in missing if one.state is None]
            until = min(_times(missing), default=None)
            if until is not None:  # otherwise the calls that they wait for have just ended
                clock.sleep_until(until)
        return [_finished(one) for one in handles]

    def _later(self, state: State, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> Handle:
        at = self.due(state)
        if at is None:
            return state
        deferred = _Deferred(call, upstream, args)
        deferred.at = at
        return deferred

    def _advance(self, handle: _Deferred) -> None:
        """Run a call after everything it needs, unless that must wait for its time. No recursion, because chains may be long."""
        stack = [handle]
        while stack:
            top = stack[-1]
            if top.state is None:
                missing = [one for one in _needs(top.upstream) if one.state is None]
                if missing:
                    if any(one.at is not None and one.at > clock.now() for one in missing):
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
        if overruns.alive:
            overruns.outlast_those_of_this_thread()
        state = deferred.call(states, *deferred.args)
        deferred.at = None if isinstance(state, Finished) else self.due(state)
        if deferred.at is not None:
            return False
        deferred.state = state
        deferred.upstream = {}
        return True


def _times(missing: list[_Deferred]) -> Iterable[datetime]:
    """The times at which something that these wait for can continue."""
    stack, seen = list(missing), set[int]()
    while stack:
        top = stack.pop()
        if top.at is not None:
            yield top.at
        elif top.state is None and id(top) not in seen:
            seen.add(id(top))
            stack.extend(_needs(top.upstream))


def _needs(upstream: Upstream) -> list[_Deferred]:
    calls: list[_Deferred] = []
    for value in upstream.values():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, _Deferred):
                calls.append(one)
    return calls


def _finished(value: Handle | list[Handle]) -> State:
    if isinstance(value, list):
        return reduced([_finished(one) for one in value])
    state = value.state if isinstance(value, _Deferred) else value
    assert isinstance(state, State)
    return state
