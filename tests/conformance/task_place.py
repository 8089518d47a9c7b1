"""What the suite of the task library needs to know of each subject: calls that go well, hang, are refused, or reach nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from appliance.core.task import Task

SECRET = "ZEBRA_PASSWORD"
VALUE = "right-zebra-4711"
WRONG = "wrong-zebra-0815"
Make = Callable[..., Task]


class Place:
    """One subject with the other side of its calls. Tasks are made inside a flow, so methods return what makes and calls them."""

    subject: ClassVar[str]
    value: str = VALUE
    """Of the secret, when the call goes well."""
    wrong: str = WRONG

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self.folder = folder

    def close(self) -> None:
        """End the other side."""

    def good(self) -> Callable[..., Task]:
        """A call that goes well, and uses the secret if the subject knows any."""
        raise AssertionError("every subject has one")

    def slow(self) -> Callable[..., Task] | None:
        """A call that takes an hour."""
        return None

    def is_busy(self) -> bool:
        """Does the other side still work on the slow call?"""
        return False

    def denied(self) -> Callable[..., Task] | None:
        """A call with the secret, whose value is wrong."""
        return None

    def unreachable(self) -> Callable[..., Task] | None:
        """A call of a port on which nobody listens."""
        return None

    target: int | str | None = None
    """The port, or the path of the socket, to which `through` leads."""

    def through(self, _port: int) -> Callable[..., Task] | None:
        """A call that only reads, by way of a proxy on this port."""
        return None
