"""How a task's code travels to another process and its state comes back, and what is said when something can't be pickled.

A state comes back in two parts, itself and its result, so that a result that can't be read leaves the rest readable.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import sys
from collections.abc import Callable
from functools import reduce
from types import FunctionType, MethodType
from typing import Any

from appliance.core.building import loading
from appliance.core.states import Failed, State, Success
from appliance.core.task import Task
from appliance.engine import failures
from appliance.engine.calls import Invocation
from appliance.engine.executors.channel import Content
from appliance.kit.errors import ApplianceError

FLOW_FILE = "_appliance_flow_"
"""How the module names of flow files begin. Other processes can't import those, so what they hold travels whole."""


Packed = tuple[Content, Content]
_STAYING = {"cache_validator", "result", "retry_on", "state_handlers", "target", "trigger"}
"""What of a task is used in the flow's process only."""
_ADVICE = "Make it inside the task, pass a description of it instead, or use ThreadExecutor."


class NotPicklable(ApplianceError):
    """Something that would have to travel to another process can't be pickled."""


@dataclasses.dataclass(slots=True)
class _Named:
    """A task's function as the place where another process finds it: `module` and the name that holds the task."""

    module: str
    qualname: str

    def find(self) -> Callable[..., Any]:
        found: Any = reduce(getattr, self.qualname.split("."), importlib.import_module(self.module))
        function: Callable[..., Any] = found.run if isinstance(found, Task) else found
        return function


def choose_what_travels_whole() -> None:
    """From now on what lies in flow files, and in modules that run their flow while they are imported, is pickled with its code.

    Whoever asks for a module that another thread is importing waits for that thread, which here waits for the flow.
    """
    import cloudpickle  # type: ignore[import-untyped]

    known = cloudpickle.list_registry_pickle_by_value()
    for name, module in list(sys.modules.items()):
        if name in known or name == "__main__":
            continue
        if name.startswith(FLOW_FILE) or getattr(getattr(module, "__spec__", None), "_initializing", False):
            cloudpickle.register_pickle_by_value(module)


def pack(invocation: Invocation) -> bytes:
    """Raises NotPicklable with a sentence that names the part at fault."""
    travelling = dataclasses.replace(invocation, function=_travelling(invocation.function))
    try:
        return _dumps(travelling)
    except BaseException as error:
        raise NotPicklable(_culprit(travelling, error)) from error


def run(payload: Content, begun: Callable[[], None]) -> tuple[Packed, bool]:
    """In the other process: run what `pack` made and pack the state. Calls `begun` when the code is about to run.

    The second value tells whether the code was stopped or left running for its timeout.
    """
    import cloudpickle

    try:
        with loading():  # a module that runs its flow when it is imported must not do so here
            invocation: Invocation = cloudpickle.loads(payload)
            if isinstance(invocation.function, _Named):
                invocation.function = invocation.function.find()
    except BaseException as error:  # noqa: BLE001 - imports and constructors of user code; told as the failure of the task
        message = f"The task's code or arguments can't be read in the worker process: {failures.summary(error)}."
        return pack_state(Failed(message, error, data=failures.describe(error))), False
    begun()
    try:
        state = invocation()
    except KeyboardInterrupt as error:  # the task's own: Ctrl-C reaches the flow's process only
        state = failures.failed(error)
    return pack_state(state), state.name == "TimedOut"


def pack_state(state: State) -> Packed:
    """Never fails: what can't be pickled becomes a failure that says so."""
    try:
        result = _dumps(state.result)
    except BaseException as error:  # noqa: BLE001 - __reduce__ of user objects; told as the failure of the task
        state, result = _not_sent(state, error), _dumps(None)
    try:
        return _dumps(dataclasses.replace(state, result=None)), result
    except BaseException as error:  # noqa: BLE001 - a state's context may hold anything
        return _dumps(Failed(f"The state of the task can't be pickled: {failures.summary(error)}.")), _dumps(None)


def unpack_state(packed: Packed) -> State:
    """Never fails: a result that can't be read here becomes a failure that says so."""
    import cloudpickle

    state: State = cloudpickle.loads(packed[0])
    try:
        return dataclasses.replace(state, result=cloudpickle.loads(packed[1]))
    except BaseException as error:  # noqa: BLE001 - constructors of user classes; told as the failure of the task
        reason = failures.summary(error)
    if isinstance(state, Failed):
        message = f"{state.message} (The exception itself can't be unpickled: {reason})"
        return dataclasses.replace(state, message=message, result=RuntimeError(state.message))
    return Failed(f"The result of the task can't be unpickled in the flow's process: {reason}.")


def _not_sent(state: State, error: BaseException) -> State:
    reason = failures.summary(error)
    if isinstance(state, Failed):
        message = f"{state.message} (The exception itself can't be pickled: {reason})"
        return dataclasses.replace(state, message=message, result=RuntimeError(state.message))
    kind = type(state.result).__name__
    message = f"The result of the task, a {kind}, can't be pickled to leave its process: {reason}. Return plain data, or use ThreadExecutor."
    return Failed(message) if isinstance(state, Success) else dataclasses.replace(state, message=message, result=None)


def _travelling(function: Callable[..., Any]) -> Any:
    """The function without what only the flow's process needs, and by its name where that leads to it."""
    if isinstance(function, MethodType) and isinstance(function.__self__, Task):
        task = copy.copy(function.__self__)
        for name in _STAYING & vars(task).keys():
            delattr(task, name)
        return MethodType(function.__func__, task)
    if not isinstance(function, FunctionType) or "<locals>" in function.__qualname__:
        return function
    named = _Named(function.__module__, function.__qualname__)
    if named.module == "__main__" or named.module not in sys.modules or _travels_whole(named.module):
        return function
    try:
        return named if named.find() is function else function
    except (AttributeError, ImportError):
        return function


def _travels_whole(module: str) -> bool:
    import cloudpickle

    return module in cloudpickle.list_registry_pickle_by_value()


def _dumps(value: Any) -> bytes:
    import cloudpickle

    dumped: bytes = cloudpickle.dumps(value)
    return dumped


def _culprit(invocation: Invocation, error: BaseException) -> str:
    name = invocation.context.task_name
    parts: dict[str, Any] = {"its code": invocation.function}
    parts |= {f"its argument {key!r}, a {type(value).__name__},": value for key, value in invocation.inputs.items()}
    parts |= {"the run's context or parameters": invocation.context}
    for part, value in parts.items():
        try:
            _dumps(value)
        except BaseException as found:  # noqa: BLE001 - the search for what is at fault
            return f"Task {name!r} can't be sent to another process, since {part} can't be pickled: {failures.summary(found)}. {_ADVICE}"
    return f"Task {name!r} can't be sent to another process: {failures.summary(error)}. {_ADVICE}"
