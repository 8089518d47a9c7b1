"""Describes exceptions of user code: one line, the traceback without the engine's frames, and the location."""

from __future__ import annotations

import site
import sys
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from appliance.core import masking
from appliance.core.async_functions import discard
from appliance.core.states import Failed, Mapped, State
from appliance.kit import process_limits
from appliance.kit.errors import ApplianceError

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_AROUND = (_PACKAGE, str(Path(sysconfig.get_path("stdlib"), "asyncio")))
"""Folders of the code that calls user code."""
_OURS = (_PACKAGE, sysconfig.get_path("stdlib"), "<frozen")
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *site.getsitepackages()})
_MAX_TEXT = 8_000
_MAX_TRACEBACK = 32_000


def failed_state(error: BaseException, cls: type[Failed] = Failed) -> Failed:
    """The failed state of a task whose code raised `error`, with the limit of the run from which that came."""
    message, limit = summary(error), process_limits.explanation(error)
    if limit:
        message = f"{message.rstrip('.')}. {limit}"
    return cls(message=message, result=error, data=describe(error))


def handler_failure(error: BaseException) -> Failed:
    """The failed state of a run whose state handler raised `error`."""
    state = failed_state(error)
    return Failed(f"Exception raised while calling state handlers: {state.message}", error, data=state.data)


def invalid_handler_result(handler: object, result: object) -> Failed:
    """The failed state of a run whose state handler returned something other than a state."""
    discard(result)
    name = getattr(handler, "__name__", "of the run")
    return Failed(
        f"State handler {name} returned {type(result).__name__}; return a state, or None to keep the new one."
    )


def impossible_handler_result(handler: object, state: State) -> Failed:
    """The failed state of a task run whose state handler chose a state that says something untrue about it."""
    name = getattr(handler, "__name__", "of the run")
    untrue = "the task is not mapped" if isinstance(state, Mapped) else "the task's code has not run"
    return Failed(
        f"State handler {name} chose {type(state).__name__}, but {untrue}; return another state, or None to keep the new one."
    )


def summary(error: BaseException) -> str:
    """`ValueError: text`."""
    try:
        text = excerpt(str(error))
    except Exception:  # noqa: BLE001 - user code; an error whose __str__ fails must be reported all the same
        text = "(its message can't be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def excerpt(text: str, most: int = _MAX_TEXT) -> str:
    """The text for people: with secrets masked, and without its middle if it is too long."""
    text = masking.mask(text)
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters omitted ...\n{text[-half:]}"


def describe(error: BaseException) -> dict[str, str]:
    """The JSON data from which the server displays cause and location."""
    frames = _user_frames(error.__traceback__)
    if isinstance(error, ApplianceError) and not _leads_through_user_code(frames):
        return {"exception": type(error).__name__}  # its sentence says all that its reader can use
    text = "".join(traceback.format_exception(type(error), error, frames))
    data = {"exception": type(error).__name__, "traceback": excerpt(text.rstrip("\n"), _MAX_TRACEBACK)}
    location = _location(error, frames)
    return data if location is None else data | {"location": location}


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    """The frames without the engine's leading ones, or all of them if there are no others."""
    frame = trace
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_AROUND):
        frame = frame.tb_next
    return frame or trace


def _leads_through_user_code(trace: TracebackType | None) -> bool:
    return any(not frame.f_code.co_filename.startswith(_OURS) for frame, _ in traceback.walk_tb(trace))


def _location(error: BaseException, trace: TracebackType | None) -> str | None:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    best: TracebackType | None = None
    while trace is not None:  # the innermost frame outside libraries is where the reader can fix something
        if best is None or not trace.tb_frame.f_code.co_filename.startswith(
            (*_LIBRARIES, sys.prefix, _PACKAGE, "<frozen")
        ):
            best = trace
        trace = trace.tb_next
    if best is None:
        return None
    code = best.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{best.tb_lineno} in {code.co_name}"
