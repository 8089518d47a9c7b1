"""What tasks of the library raise. Every message is one sentence, and shows no secret.

TaskLibraryError
├─ MissingArgument   a task was neither created nor called with an argument that it needs
├─ AccessDenied      the other side rejects the credentials, or the user may not do this
├─ Unreachable       the other side can't be reached, or the call can be repeated without harm: the task is retried
├─ ConnectionLost    the connection broke, and it isn't known what has happened there: the task isn't retried
├─ Refused           the other side answered with an error
└─ CommandFailed     a command ended with another exit code than 0
"""

from __future__ import annotations

from appliance.core import masking
from appliance.kit.errors import ApplianceError

_LONGEST = 1_000


class TaskLibraryError(ApplianceError):
    """The root of what tasks of the library raise."""

    def __init__(self, message: str) -> None:
        super().__init__(masking.mask(message)[:_LONGEST])


class MissingArgument(TaskLibraryError, TypeError):
    """A task was neither created nor called with an argument that it needs."""


class AccessDenied(TaskLibraryError, PermissionError):
    """The other side rejects the credentials, or the user may not do this."""


class Unreachable(TaskLibraryError, ConnectionError):
    """The other side can't be reached, or the call can be repeated without harm. The task is retried."""


class ConnectionLost(TaskLibraryError, ConnectionError):
    """The connection broke, and it isn't known what has happened on the other side. The task isn't retried."""


class Refused(TaskLibraryError):
    """The other side answered with an error. `code` is its number or name, if it has one."""

    def __init__(self, message: str, code: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[Refused], tuple[object, ...]]:
        return type(self), (self.args[0], self.code)


class CommandFailed(Refused):
    """A command ended with another exit code than 0, which is `code`. A signal's number is negative."""


def first_line(error: BaseException) -> str:
    """What an error of a client says, for the middle of a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
