"""Containers and images of a Docker engine: run a container to its end, or do each step in a task of its own."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Unpack

from appliance.core import masking
from appliance.core.context import context
from appliance.core.secrets import Secret
from appliance.tasks.catalogue import require

require("docker")

from appliance.tasks.library.arguments import defaults_from_attrs, needed, resolved  # noqa: E402 - says what to install
from appliance.tasks.library.errors import (  # noqa: E402
    AccessDenied,
    CommandFailed,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.guards import guarded  # noqa: E402
from appliance.tasks.library.interruption import interruptible  # noqa: E402
from appliance.tasks.library.lines import Lines  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions  # noqa: E402

if TYPE_CHECKING:
    import docker

__all__ = [
    "CreateContainer",
    "GetContainerLogs",
    "ListContainers",
    "ListImages",
    "PullImage",
    "RemoveContainer",
    "RemoveImage",
    "RunContainer",
    "StartContainer",
    "StopContainer",
    "TagImage",
    "WaitOnContainer",
]

_PATIENCE = 60
_LAST_LINES = 5
_DENIED = ("unauthorized", "denied", "authentication required", "permission")
_REMOVE = """
import sys, docker
client = docker.DockerClient(sys.argv[1]) if sys.argv[1] else docker.from_env()
client.api.remove_container(sys.argv[2], force=True, v=True)
"""
Command = str | list[str]


class DockerOptions(TaskOptions, total=False):
    """The options of all tasks of this subject."""

    docker_server_url: str | None


class _DockerTask(LibraryTask):
    """`docker_server_url` is such as `unix:///var/run/docker.sock`; by default, `DOCKER_HOST` and its companions say where the engine is."""

    def __init__(self, *arguments: object, **options: Unpack[DockerOptions]) -> None:
        self.docker_server_url: str | None = options.pop("docker_server_url", None)
        rest: Any = options
        super().__init__(*arguments, **rest)

    @contextmanager
    def engine(self, timeout: int = _PATIENCE, harmless: bool = True) -> Iterator[docker.DockerClient]:
        """The engine. `harmless` says that the block may be repeated. Raises errors of the library."""
        import docker
        import requests

        place = self.docker_server_url or "the Docker engine"
        try:
            try:
                client = (
                    docker.from_env(timeout=timeout)
                    if self.docker_server_url is None
                    else docker.DockerClient(self.docker_server_url, timeout=timeout)
                )
            except docker.errors.DockerException as error:
                if "permission denied" in str(error).lower():
                    raise AccessDenied(f"The user of this process may not use {place}.") from None
                raise Unreachable(f"{place} can't be reached: {first_line(error)}.") from None
            with client.api:
                yield client
        except TaskLibraryError:
            raise
        except docker.errors.APIError as error:
            said = (error.explanation or first_line(error)).rstrip(".")
            if error.status_code in (401, 403) or any(phrase in said.lower() for phrase in _DENIED):
                raise AccessDenied(f"{place} answered: {said}.") from None
            raise Refused(f"{place} answered: {said}.", error.status_code) from None
        except (requests.RequestException, OSError) as error:
            kind = Unreachable if harmless else ConnectionLost
            raise kind(f"The connection to {place} broke: {first_line(error)}.") from None
        except docker.errors.DockerException as error:
            raise Refused(f"{place} can't be used: {first_line(error)}.") from None


class RunContainer(_DockerTask):
    """Runs a command in a new container, to its end, and removes the container. The result is the last line of its stdout, or with `return_all` a list of
    all lines; both streams go to the run's log. Any other exit code than 0 fails the task with CommandFailed.

    `environment` may have secrets. `volumes` are as of `docker run`: `["/data:/data:ro"]`. `extra_docker_kwargs` are further arguments of the SDK's
    `containers.create`, such as `mem_limit`. An image that the engine doesn't have is pulled. The container is killed when the run is cancelled or the timeout passes.
    """

    def __init__(
        self,
        image_name: str | None = None,
        command: Command | None = None,
        environment: Mapping[str, str | Secret] | None = None,
        volumes: Sequence[str] | None = None,
        container_name: str | None = None,
        return_all: bool = False,
        stream_output: bool = True,
        extra_docker_kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[DockerOptions],
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(environment, **options)
        self.image_name, self.command, self.environment, self.volumes = image_name, command, environment, volumes
        self.container_name, self.return_all, self.stream_output = container_name, return_all, stream_output
        self.extra_docker_kwargs = extra_docker_kwargs

    @defaults_from_attrs("image_name", "command", "environment", "container_name")
    def run(
        self,
        image_name: str | None = None,
        command: Command | None = None,
        environment: Mapping[str, str | Secret] | None = None,
        container_name: str | None = None,
    ) -> str | list[str] | None:
        """Raises CommandFailed, Unreachable, ConnectionLost, AccessDenied or Refused."""
        image = needed(self, "image_name", image_name)
        stopped = threading.Event()
        with self.engine(timeout=600) as client, interruptible(self, stopped.set):
            _pull_if_missing(client, image, stopped)
        with self.engine(harmless=False) as client:
            container = client.containers.create(
                image,
                command,
                environment=resolved(environment),
                volumes=list(self.volumes or ()),
                name=container_name,
                labels=_labels(),
                detach=True,
                **dict(self.extra_docker_kwargs or {}),
            )
            try:
                address = self.docker_server_url or ""
                with (
                    guarded(_REMOVE, address, str(container.id)),
                    interruptible(self, lambda: self._kill(str(container.id))),
                ):
                    return self._follow(container)
            finally:
                with suppress(Exception), self.engine() as other:  # the connection of the first one may be broken
                    other.api.remove_container(str(container.id), force=True, v=True)

    def _follow(self, container: Any) -> str | list[str] | None:
        output: deque[str] = deque(maxlen=None if self.return_all else 1)
        last: deque[str] = deque(maxlen=_LAST_LINES)

        def on_line(line: str, stream: deque[str]) -> None:
            if self.stream_output:
                self.logger.log(logging.INFO, "%s", line)
            stream.append(masking.mask(line))

        both = Lines(lambda line: on_line(line, output)), Lines(lambda line: on_line(line, last))
        stream = container.attach(stream=True, logs=True, demux=True)  # before the start, so as to miss nothing
        container.start()
        for parts in stream:
            for lines, part in zip(both, parts, strict=True):
                lines.feed(part or b"")
        for lines in both:
            lines.end()
        code = int(container.wait()["StatusCode"])
        if code != 0:
            said = " / ".join(line.strip() for line in last or output if line.strip())
            killed = " (it was out of memory)" if _is_out_of_memory(container) else ""
            raise CommandFailed(f"The container ended with exit code {code}{killed}: {said}", code)
        return list(output) if self.return_all else (output[-1] if output else None)

    def _kill(self, container: str) -> None:
        with self.engine(timeout=10) as client:
            client.api.kill(container)


class CreateContainer(_DockerTask):
    """Creates a container. The result is its id. `environment` may have secrets, which `docker inspect` shows."""

    def __init__(
        self,
        image_name: str | None = None,
        container_name: str | None = None,
        command: Command | None = None,
        environment: Mapping[str, str | Secret] | None = None,
        volumes: Sequence[str] | None = None,
        extra_docker_kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[DockerOptions],
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(environment, **options)
        self.image_name, self.container_name, self.command = image_name, container_name, command
        self.environment, self.volumes, self.extra_docker_kwargs = environment, volumes, extra_docker_kwargs

    @defaults_from_attrs("image_name", "container_name", "command", "environment")
    def run(
        self,
        image_name: str | None = None,
        container_name: str | None = None,
        command: Command | None = None,
        environment: Mapping[str, str | Secret] | None = None,
    ) -> str:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused."""
        image = needed(self, "image_name", image_name)
        more = {"volumes": list(self.volumes or ()), "labels": _labels(), **dict(self.extra_docker_kwargs or {})}
        with self.engine(harmless=False) as client:
            container = client.containers.create(
                image, command, environment=resolved(environment), name=container_name, detach=True, **more
            )
            return str(container.id)


class _ContainerTask(_DockerTask):
    """A task for one container, by its id or name."""

    def __init__(self, container_id: str | None = None, **options: Unpack[DockerOptions]) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(**options)
        self.container_id = container_id


class StartContainer(_ContainerTask):
    """Starts a container. The result is its id."""

    @defaults_from_attrs("container_id")
    def run(self, container_id: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            client.api.start(needed(self, "container_id", container_id))
        return str(container_id)


class StopContainer(_ContainerTask):
    """Stops a container: SIGTERM, and SIGKILL after ten seconds. The result is its id."""

    @defaults_from_attrs("container_id")
    def run(self, container_id: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            client.api.stop(needed(self, "container_id", container_id), timeout=10)
        return str(container_id)


class WaitOnContainer(_ContainerTask):
    """Waits until a container ends. The result is its exit code; with `raise_on_exit_code`, any other than 0 fails the task. Stopping the task
    doesn't stop the container."""

    def __init__(
        self, container_id: str | None = None, raise_on_exit_code: bool = True, **options: Unpack[DockerOptions]
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(container_id, **options)
        self.raise_on_exit_code = raise_on_exit_code

    @defaults_from_attrs("container_id")
    def run(self, container_id: str | None = None) -> int:
        """Raises CommandFailed, Unreachable, AccessDenied or Refused."""
        container = needed(self, "container_id", container_id)
        stopped = threading.Event()
        with self.engine() as client, interruptible(self, stopped.set):
            code = None
            while code is None:
                _go_on(stopped)
                code = _exit_code(client, container)
        if code != 0 and self.raise_on_exit_code:
            raise CommandFailed(f"The container ended with exit code {code}.", code)
        return code


class GetContainerLogs(_ContainerTask):
    """The output of a container, both streams, as a text. `tail` limits it to the last lines."""

    def __init__(
        self, container_id: str | None = None, tail: int | None = None, **options: Unpack[DockerOptions]
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(container_id, **options)
        self.tail = tail

    @defaults_from_attrs("container_id")
    def run(self, container_id: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            tail: Any = "all" if self.tail is None else self.tail
            content = client.api.logs(needed(self, "container_id", container_id), tail=tail)
            return masking.mask(content.decode("utf-8", "replace"))


class RemoveContainer(_ContainerTask):
    """Removes a container with its anonymous volumes, also while it runs with `force`. The result says whether there was one."""

    def __init__(self, container_id: str | None = None, force: bool = False, **options: Unpack[DockerOptions]) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(container_id, **options)
        self.force = force

    @defaults_from_attrs("container_id")
    def run(self, container_id: str | None = None) -> bool:
        """Raises Unreachable, AccessDenied or Refused."""
        import docker

        with self.engine() as client:
            try:
                client.api.remove_container(needed(self, "container_id", container_id), v=True, force=self.force)
            except docker.errors.NotFound:
                return False
            return True


class ListContainers(_DockerTask):
    """The containers of the engine, those that run or with `all_containers` all, as the engine describes them. `filters` are those of `docker ps`."""

    def __init__(
        self, all_containers: bool = False, filters: Mapping[str, Any] | None = None, **options: Unpack[DockerOptions]
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(**options)
        self.all_containers, self.filters = all_containers, filters

    @defaults_from_attrs("filters")
    def run(self, filters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            return list(client.api.containers(all=self.all_containers, filters=dict(filters or {})))


class ListImages(_DockerTask):
    """The images of the engine, of one repository if it is named, as the engine describes them."""

    def __init__(self, repository_name: str | None = None, **options: Unpack[DockerOptions]) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(**options)
        self.repository_name = repository_name

    @defaults_from_attrs("repository_name")
    def run(self, repository_name: str | None = None) -> list[dict[str, Any]]:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            return [dict(image) for image in client.api.images(repository_name)]


class PullImage(_DockerTask):
    """Pulls an image with a tag, by default `latest`. `username` and `password` sign in to the registry. The result is the id of the image."""

    def __init__(
        self,
        repository: str | None = None,
        tag: str | None = None,
        username: str | None = None,
        password: Secret | None = None,
        **options: Unpack[DockerOptions],
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(password, **options)
        self.repository, self.tag, self.username, self.password = repository, tag, username, password

    @defaults_from_attrs("repository", "tag")
    def run(self, repository: str | None = None, tag: str | None = None) -> str:
        """Raises Unreachable, AccessDenied or Refused."""
        more: dict[str, Any] = {}
        if self.password is not None:
            more["auth_config"] = {"username": self.username or "", "password": str(self.password.get())}
        stopped, name = threading.Event(), needed(self, "repository", repository)
        with self.engine(timeout=600) as client, interruptible(self, stopped.set):
            _pull(client, name, tag or "latest", stopped, **more)
            return str(client.images.get(f"{name}:{tag or 'latest'}").id)


class TagImage(_DockerTask):
    """Gives an image another name. The result says whether that went well."""

    def __init__(
        self,
        image: str | None = None,
        repository: str | None = None,
        tag: str | None = None,
        **options: Unpack[DockerOptions],
    ) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(**options)
        self.image, self.repository, self.tag = image, repository, tag

    @defaults_from_attrs("image", "repository", "tag")
    def run(self, image: str | None = None, repository: str | None = None, tag: str | None = None) -> bool:
        """Raises Unreachable, AccessDenied or Refused."""
        with self.engine() as client:
            return bool(client.api.tag(needed(self, "image", image), needed(self, "repository", repository), tag))


class RemoveImage(_DockerTask):
    """Removes an image, or its name if it has others. The result says whether there was one."""

    def __init__(self, image: str | None = None, force: bool = False, **options: Unpack[DockerOptions]) -> None:
        """Takes `docker_server_url`, and the options of Task, too."""
        super().__init__(**options)
        self.image, self.force = image, force

    @defaults_from_attrs("image")
    def run(self, image: str | None = None) -> bool:
        """Raises Unreachable, AccessDenied or Refused."""
        import docker

        with self.engine() as client:
            try:
                client.api.remove_image(needed(self, "image", image), force=self.force)
            except docker.errors.ImageNotFound:
                return False
            return True


def _pull_if_missing(client: docker.DockerClient, image: str, stopped: threading.Event) -> None:
    import docker

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        name, _, tag = image.rpartition(":")
        is_tagged = ":" in image.rpartition("/")[2]  # otherwise it is the port of a registry
        _pull(client, name if is_tagged else image, tag if is_tagged else "latest", stopped)


def _pull(client: docker.DockerClient, repository: str, tag: str, stopped: threading.Event, **more: Any) -> None:
    """Pull an image. The engine stops when its messages are no longer read."""
    for message in client.api.pull(repository, tag, stream=True, decode=True, **more):
        _go_on(stopped)
        if "error" in message:
            said = str(message["error"]).rstrip(".")
            kind = AccessDenied if any(phrase in said.lower() for phrase in _DENIED) else Refused
            raise kind(f"The image {repository}:{tag} can't be pulled: {said}.")


def _go_on(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise Refused("The task was stopped.")


def _exit_code(client: docker.DockerClient, container: str) -> int | None:
    """The exit code of a container; None if it doesn't end within a second."""
    import requests

    try:
        return int(client.api.wait(container, timeout=1)["StatusCode"])
    except (requests.Timeout, requests.ConnectionError) as error:
        if "timed out" in str(error).lower():
            return None
        raise


def _labels() -> dict[str, str]:
    """What says from which run a container is, if anything leaves it behind."""
    run = context.get("flow_run_id")
    return {} if run is None else {"appliance.tasks.flow_run_id": str(run)}


def _is_out_of_memory(container: Any) -> bool:
    with suppress(Exception):  # it only explains an exit code
        container.reload()
        return bool(container.attrs["State"]["OOMKilled"])
    return False
