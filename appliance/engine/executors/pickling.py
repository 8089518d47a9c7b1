"""Sends a task's code to another process and its state back, with clear errors for anything that can't be pickled.

A state comes back in two parts, the state itself and its result, so that an unreadable result doesn't affect the rest.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import sys
from collections.abc import Callable
from functools import reduce
from types import FunctionType, MethodType, ModuleType
from typing import Any

from appliance.core import flow_file, masking, secrets, unpickle
from appliance.core.building import loading
from appliance.core.pickles import dumps
from appliance.core.states import Failed, State, Success
from appliance.core.task import Task
from appliance.engine import failures
from appliance.engine.calls import Invocation
from appliance.engine.executors.channel import Content
from appliance.kit.errors import ApplianceError

Packed = tuple[Content, Content]
_STAYING = {"cache_validator", "result", "retry_on", "state_handlers", "target", "trigger"}
"""The attributes of a task that are used only in the flow's process."""
_ADVICE = "Create it inside the task, pass a description of it instead, or use ThreadExecutor."


class NotPicklable(ApplianceError):
    """Something that must be sent to another process can't be pickled."""


@dataclasses.dataclass(slots=True)
class _Named:
    """A reference to a task's function for another process: `module`, and the name of the task in it."""

    module: str
    qualname: str

    def find(self) -> Callable[..., Any]:
        value: Any = reduce(getattr, self.qualname.split("."), importlib.import_module(self.module))
        function: Callable[..., Any] = value.run if isinstance(value, Task) else value
        return function


def choose_what_travels_whole(elsewhere: bool = False) -> None:
    """From now on, pickle the contents of modules that run their flow on import by value, and those of the flow's file too if the
    workers are `elsewhere`, where it may not exist.

    A worker that imports a module of the former kind would wait for the thread that is importing it, which is waiting for the flow.
    """
    import cloudpickle  # type: ignore[import-untyped]

    registry = cloudpickle.list_registry_pickle_by_value()
    file = flow_file.current() if elsewhere else None
    for name, module in list(sys.modules.items()):
        if name in registry or name == "__main__":
            continue
        if (file is not None and name == file.name) or getattr(
            getattr(module, "__spec__", None), "_initializing", False
        ):
            cloudpickle.register_pickle_by_value(module)


def pack(invocation: Invocation) -> bytes:
    """The invocation as bytes. Raises NotPicklable with a sentence that names the part that can't be pickled."""
    served = secrets.for_another_process()  # masked from now on
    payload = dataclasses.replace(
        invocation, function=_travelling(invocation.function), served=served, hidden=masking.hidden()
    )
    try:
        return dumps(payload)
    except BaseException as error:
        raise NotPicklable(_culprit(payload, error)) from error


def run(payload: Content, begun: Callable[[], None], main: ModuleType | None = None) -> tuple[Packed, bool]:
    """In the other process: run an invocation from `pack` and pack its state. Calls `begun` just before the code runs.

    The code of a script becomes part of `main`, where libraries look for it. The second value says whether the code was stopped,
    or left running, because of its timeout.
    """
    try:
        with loading():  # a module that runs its flow on import must not do so here
            invocation: Invocation = unpickle.loads(payload, main)
            if isinstance(invocation.function, _Named):
                invocation.function = invocation.function.find()
    except BaseException as error:  # noqa: BLE001 - imports and constructors of user code; reported as the task's failure
        message = f"The task's code or arguments can't be loaded in the worker process: {failures.summary(error)}."
        return pack_state(Failed(message, error, data=failures.describe(error))), False
    begun()
    try:
        state = invocation()
    except KeyboardInterrupt as error:  # raised by the task: Ctrl-C reaches only the flow's process
        state = failures.failed_state(error)
    return pack_state(state), state.name == "TimedOut"


def pack_state(state: State) -> Packed:
    """The state as bytes. Never raises: a state that can't be pickled becomes a failure that says so."""
    try:
        result = dumps(state.result)
    except BaseException as error:  # noqa: BLE001 - __reduce__ of user objects; reported as the task's failure
        state, result = _not_sent(state, error), dumps(None)
    try:
        return dumps(dataclasses.replace(state, result=None)), result
    except BaseException as error:  # noqa: BLE001 - a state's context may contain anything
        return dumps(Failed(f"The state of the task can't be pickled: {failures.summary(error)}.")), dumps(None)


def unpack_state(packed: Packed) -> State:
    """The state with its result. Never raises: a result that can't be unpickled here becomes a failure that says so."""
    state: State = unpickle.loads(packed[0])
    try:
        return dataclasses.replace(state, result=unpickle.loads(packed[1]))
    except BaseException as error:  # noqa: BLE001 - constructors of user classes; reported as the task's failure
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
    """The function without the attributes that only the flow's process needs, as a reference by name if possible."""
    if isinstance(function, MethodType) and isinstance(function.__self__, Task):
        task = copy.copy(function.__self__)
        for name in _STAYING & vars(task).keys():
            delattr(task, name)
        return MethodType(function.__func__, task)
    if not isinstance(function, FunctionType) or "<locals>" in function.__qualname__:
        return function
    reference = _Named(function.__module__, function.__qualname__)
    if reference.module == "__main__" or reference.module not in sys.modules or _travels_whole(reference.module):
        return function
    try:
        return reference if reference.find() is function else function
    except (AttributeError, ImportError):
        return function


def _travels_whole(module: str) -> bool:
    import cloudpickle

    return module in cloudpickle.list_registry_pickle_by_value()


def _culprit(invocation: Invocation, error: BaseException) -> str:
    name = invocation.context.task_name
    parts: dict[str, Any] = {"its code": invocation.function}
    parts |= {f"its argument {key!r}, a {type(value).__name__},": value for key, value in invocation.inputs.items()}
    parts |= {"the run's context or parameters": invocation.context}
    for part, value in parts.items():
        try:
            dumps(value)
        except BaseException as cause:  # noqa: BLE001 - the search for the part that can't be pickled
            return f"Task {name!r} can't be sent to another process because {part} can't be pickled: {failures.summary(cause)}. {_ADVICE}"
    return f"Task {name!r} can't be sent to another process: {failures.summary(error)}. {_ADVICE}"
