"""The Docker engine: the only module that imports its SDK. Every call ends in time, and fails with a sentence."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound
from docker.types import CancellableStream, DeviceRequest
from docker.utils import kwargs_from_env

from appliance.kit import clock
from appliance.kit.places import PlaceAway, PlaceRefused

TIMEOUT = 60.0
"""Seconds for one request."""
PULL_TIMEOUT = 600.0
"""Seconds for pulling an image."""
_MOST_COPIED = 256 * 1024**2
"""Bytes of a file of a container."""
_LONGEST = 500
_AWAY = (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, OSError)


class EngineAway(PlaceAway):
    """The engine can't be reached, or doesn't answer."""


class EngineRefused(PlaceRefused):
    """The engine has refused a request."""


class Engine:
    """The engine that DOCKER_HOST names, or the one of this machine. Usable from several threads."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._opened: docker.APIClient | None = None

    def check(self) -> str:
        """The version of the engine. Raises EngineAway."""
        with engine_errors():
            return str(self._client().version()["Version"])

    def has_image(self, name: str) -> bool:
        """Whether the engine has an image."""
        return self.image(name) is not None

    def image(self, name: str) -> dict[str, Any] | None:
        """What the engine knows of an image; None if it hasn't got it."""
        try:
            with engine_errors():
                return dict(self._client().inspect_image(name))  # type: ignore[no-untyped-call]
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise

    def pull(self, name: str, is_wanted: Callable[[], bool], seconds: float = PULL_TIMEOUT) -> None:
        """Pull an image, unless `is_wanted` says no. Raises EngineRefused, also when it takes too long."""
        deadline = clock.monotonic() + seconds
        repository, tag = parts(name)
        try:
            with engine_errors():
                for line in self._client().pull(repository, tag=tag, stream=True, decode=True):
                    if "error" in line:
                        raise EngineRefused(sentence(line["error"]), 500)
                    if not is_wanted() or clock.monotonic() > deadline:
                        raise EngineRefused(f"It was not there after {seconds:.0f} s.", 504)
        except EngineAway as error:
            if not is_silence(error.__cause__):
                raise
            raise EngineRefused(f"The registry said nothing for {TIMEOUT:.0f} s.", 504) from error

    def create(self, name: str, config: Mapping[str, Any], host: Mapping[str, Any], networks: list[str]) -> str:
        """Create a container, which is not started, and return its id. Raises EngineRefused, with status 409 if there is one of this name."""
        client = self._client()
        with engine_errors():
            gpus = host.get("gpus")
            devices = [DeviceRequest(count=-1 if gpus == "all" else gpus, capabilities=[["gpu"]])] if gpus else None
            options = {key: value for key, value in host.items() if key != "gpus"}
            host_config = client.create_host_config(
                **options, device_requests=devices, network_mode=networks[0] if networks else None
            )
            container: str = client.create_container(name=name, host_config=host_config, **config)["Id"]
        try:
            with engine_errors():
                for network in networks[1:]:
                    client.connect_container_to_network(container, network)
        except BaseException:
            self.remove(container)
            raise
        return container

    def put(self, container: str, folder: str, archive: bytes) -> None:
        """Unpack a tar archive in a folder of a container."""
        with engine_errors():
            self._client().put_archive(container, folder, archive)

    def start(self, container: str) -> None:
        """Start a container."""
        with engine_errors():
            self._client().start(container)

    def stop(self, container: str, grace: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace period in seconds. Returns when it has ended."""
        with engine_errors():
            self._client().stop(container, timeout=max(1, round(grace)))

    def look(self, container: str) -> dict[str, Any] | None:
        """What the engine knows of a container; None if it is gone."""
        try:
            with engine_errors():
                return dict(self._client().inspect_container(container))
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise

    def containers(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """All containers with these labels, whether they run or not."""
        with engine_errors():
            return list(self._client().containers(all=True, filters={"label": _labels(labels)}))

    def stats(self, container: str) -> dict[str, Any]:
        """What the engine has measured of a container that runs; nothing if that can't be had."""
        with suppress(EngineRefused, EngineAway), engine_errors():
            return dict(self._client().stats(container, stream=False, one_shot=True))
        return {}

    def output(self, container: str, lines: int) -> bytes:
        """The last lines that a container has written; none where its log can't be read."""
        with suppress(EngineRefused), engine_errors():
            return bytes(self._client().logs(container, stdout=True, stderr=True, tail=lines))
        return b""

    def copy(self, container: str, path: str, target: Path) -> None:
        """Copy an ordinary file of a container to this machine, if there is one that is not too long."""
        with suppress(EngineRefused), engine_errors():
            chunks, _ = self._client().get_archive(container, path)
            with tarfile.open(fileobj=_Chunks(chunks), mode="r|") as archive:
                member = archive.next()
                content = archive.extractfile(member) if member is not None and member.isreg() else None
                if member is None or content is None or member.size > _MOST_COPIED:
                    return
                target.touch(mode=0o600)
                with target.open("wb") as file:
                    while block := content.read(1024**2):
                        file.write(block)

    def remove(self, container: str) -> None:
        """Remove a container with its own volumes, if it is there. It is killed if it runs."""
        try:
            with engine_errors():
                self._client().remove_container(container, v=True, force=True)
        except EngineRefused as error:
            if error.status not in (404, 409):  # 409: it is being removed
                raise

    def ends(self, labels: Mapping[str, str]) -> CancellableStream[dict[str, Any]]:
        """The ends of containers with these labels, as they happen. Iterate within `engine_errors`."""
        with engine_errors():
            filters = {"type": "container", "event": ["die", "destroy"], "label": _labels(labels)}
            return self._client().events(filters=filters, decode=True)

    def _client(self) -> docker.APIClient:
        with self._lock:
            if self._opened is None:
                self._opened = docker.APIClient(**kwargs_from_env(), version="auto", timeout=int(self._timeout))
            return self._opened


@contextmanager
def engine_errors() -> Iterator[None]:
    """Raise EngineAway or EngineRefused for whatever the SDK raises."""
    try:
        yield
    except APIError as error:
        status = 404 if isinstance(error, NotFound) else getattr(error.response, "status_code", 500)
        raise EngineRefused(sentence(error.explanation or str(error)), status) from error
    except _AWAY as error:
        raise EngineAway(f"The Docker engine can't be reached: {_cause(error)}") from error


def is_silence(error: BaseException | None) -> bool:
    """Whether it is that no answer came in time."""
    causes = [error, *(error.args if error is not None else ())]
    return any(isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError) for cause in causes)


def _cause(error: BaseException) -> str:
    """The error at the bottom of those of the libraries, as a sentence with what to do."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            hint = {
                13: " Run this as a user of the group docker, or as root.",
                2: " Start it, or set DOCKER_HOST.",
            }
            return f"{inner.strerror}.{hint.get(inner.errno or 0, '')}"
        inner = inner.__cause__ or inner.__context__
    return sentence(str(error))


def sentence(text: str | bytes) -> str:
    """What the engine says, as a sentence."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    said = " ".join(said.split())[:_LONGEST].removesuffix(".")
    return f"{said[:1].upper()}{said[1:]}."


def parts(name: str) -> tuple[str, str]:
    """An image's repository and its tag or digest, so that never all tags are pulled."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]


class _Chunks(io.RawIOBase):
    """A file that reads what an iterator yields."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._left) < size and (chunk := next(self._chunks, b"")):
            self._left += chunk
        content, self._left = self._left[:size], self._left[size:]
        return content
