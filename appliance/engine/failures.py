"""What is told about an exception of user code: one line, the traceback without the engine's frames, and the place."""

from __future__ import annotations

import site
import sys
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from appliance.core import masking
from appliance.core.states import Failed

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_AROUND = (_PACKAGE, str(Path(sysconfig.get_path("stdlib"), "asyncio")))
"""Where the code lies that calls user code."""
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *site.getsitepackages()})
_MAX_TEXT = 8_000
_MAX_TRACEBACK = 32_000


def failed(error: BaseException, cls: type[Failed] = Failed) -> Failed:
    """The failed state of a task whose code raised `error`."""
    return cls(message=summary(error), result=error, data=describe(error))


def in_handler(error: BaseException) -> Failed:
    """The failed state of a run whose state handler raised `error`."""
    state = failed(error)
    return Failed(f"Exception raised while calling state handlers: {state.message}", error, data=state.data)


def no_state(handler: object, returned: object) -> Failed:
    """The failed state of a run whose state handler returned something else than a state."""
    name = getattr(handler, "__name__", "of the run")
    return Failed(
        f"State handler {name} returned {type(returned).__name__}; return a state, or None to keep the new one."
    )


def summary(error: BaseException) -> str:
    """`ValueError: text`."""
    try:
        text = shown(str(error))
    except Exception:  # noqa: BLE001 - user code; an error that can't say what it is about is told all the same
        text = "(its text can't be read)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown(text: str, most: int = _MAX_TEXT) -> str:
    """The text as people may see it: secrets masked, the middle left out where it is too long."""
    text = masking.mask(text)
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def describe(error: BaseException) -> dict[str, str]:
    """The JSON data by which the server can show cause and place."""
    frames = _user_frames(error.__traceback__)
    text = "".join(traceback.format_exception(type(error), error, frames))
    found = {"exception": type(error).__name__, "traceback": shown(text.rstrip("\n"), _MAX_TRACEBACK)}
    location = _location(error, frames)
    return found if location is None else found | {"location": location}


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    """Without the leading frames that are the engine's; all of them when the engine is all there is."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_AROUND):
        found = found.tb_next
    return found or trace


def _location(error: BaseException, trace: TracebackType | None) -> str | None:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    best: TracebackType | None = None
    while trace is not None:  # the innermost frame outside of libraries is where the reader can do something
        if best is None or not trace.tb_frame.f_code.co_filename.startswith(
            (*_LIBRARIES, sys.prefix, _PACKAGE, "<frozen")
        ):
            best = trace
        trace = trace.tb_next
    if best is None:
        return None
    code = best.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{best.tb_lineno} in {code.co_name}"
