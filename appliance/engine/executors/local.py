"""Runs every task at once, in this thread, in order. Mapped children wait until they are needed, which makes mapping depth-first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from appliance.core.states import State
from appliance.engine.executors.executor import Call, Executor, Handle, Upstream, reduced


class _Deferred:
    """A call that has not been needed yet."""

    __slots__ = ("args", "call", "state", "upstream")

    def __init__(self, call: Call, upstream: Upstream, args: tuple[Any, ...]) -> None:
        self.call, self.upstream, self.args = call, upstream, args
        self.state: State | None = None


class LocalExecutor(Executor):
    """One task after the other."""

    parallel = False

    def submit(self, call: Call, upstream: Upstream, *args: Any, deferrable: bool = False) -> Handle:
        if deferrable:
            return _Deferred(call, upstream, args)
        for value in upstream.values():
            if not isinstance(value, State):
                return call({edge: self._state(handle) for edge, handle in upstream.items()}, *args)
        return call(upstream, *args)

    def wait(self, handles: Iterable[Handle]) -> list[State]:
        return [self._done(handle) for handle in handles]

    def _state(self, handle: Handle | list[Handle]) -> State:
        return reduced([self._done(one) for one in handle]) if isinstance(handle, list) else self._done(handle)

    def _done(self, handle: Handle) -> State:
        """Run a deferred call after all it needs; without recursion, since chains of mapped tasks may be long."""
        if isinstance(handle, State):
            return handle
        stack: list[_Deferred] = [handle]
        while stack:
            top = stack[-1]
            if top.state is None:
                missing = [needed for needed in _needs(top.upstream) if needed.state is None]
                if missing:
                    stack.extend(reversed(missing))
                    continue
                states = {edge: _finished(value) for edge, value in top.upstream.items()}
                top.state = top.call(states, *top.args)
                top.upstream = {}
            stack.pop()
        return _finished(handle)


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
