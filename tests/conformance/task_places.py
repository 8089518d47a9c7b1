"""What the suite of the task library needs to know of each subject: calls that go well, hang, are refused, or reach nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from appliance.core.secrets import Secret
from appliance.core.task import Task
from appliance.tasks.http import Bearer, HttpRequest
from appliance.tasks.shell import ShellTask
from tests.conformance.task_servers import Web
from tests.e2e.appliance_process import free_port

SECRET = "ZEBRA_PASSWORD"
VALUE = "right-zebra-4711"
WRONG = "wrong-zebra-0815"
Make = Callable[..., Task]


class Place:
    """One subject with the other side of its calls. Tasks are made inside a flow, so methods return what makes and calls them."""

    subject: ClassVar[str]

    def __init__(self, folder: Path) -> None:
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


class Shell(Place):
    subject = "shell"

    def good(self) -> Make:
        return lambda **options: ShellTask(
            "echo $PASSWORD; echo $PASSWORD >&2", env={"PASSWORD": Secret(SECRET)}, **options
        )()

    def slow(self) -> Make:
        """Its child ignores SIGTERM."""
        command = f"bash -c 'trap \"\" TERM; echo $BASHPID > {self.folder}/pid; sleep 3600 & wait; sleep 3600' & wait"
        return lambda **options: ShellTask(command, **options)()

    def is_busy(self) -> bool:
        file = self.folder / "pid"
        return file.exists() and Path(f"/proc/{file.read_text().strip() or '0'}").exists()


class Http(Place):
    subject = "http"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.web = Web(VALUE)
        self.target = self.web.port

    def close(self) -> None:
        self.web.close()

    def good(self) -> Make:
        return self.through(self.web.port)

    def slow(self) -> Make:
        return lambda **options: HttpRequest(f"{self.web.url}/slow", auth=Bearer(Secret(SECRET)), **options)()

    def is_busy(self) -> bool:
        return self.web.waiting > 0

    def denied(self) -> Make:
        return self.good()

    def unreachable(self) -> Make:
        return self.through(free_port())

    def through(self, port: int) -> Make:
        url, auth = f"http://127.0.0.1:{port}/echo", Bearer(Secret(SECRET))
        return lambda **options: HttpRequest(url, auth=auth, **options)()


PLACES: list[type[Place]] = [Shell, Http]
