"""Stores results as files on another machine, over SFTP. The other machine's host key must be known."""

from __future__ import annotations

import os
import posixpath
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from appliance.core.errors import ResultError, ResultLocationError, ResultNotFoundError
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location
from appliance.kit import ids, options, remote_folders
from appliance.kit.distribution import install

_PATIENCE = 20.0
T = TypeVar("T")


class SFTPResult(Result):
    """Files below `path` on `host`. Signs in with an SSH agent, key files, or the password in the variable SFTP_PASSWORD.

    The host's key is looked up in `known_hosts`, otherwise in the file named in SFTP_KNOWN_HOSTS, otherwise in the user's own.
    """

    _lock: threading.Lock
    _client: Any
    _sftp: Any
    _process: int

    def __init__(
        self,
        host: str,
        path: str,
        *,
        port: int = 22,
        username: str | None = None,
        key_filename: str | None = None,
        known_hosts: str | Path | None = None,
        location: Template | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(location=location, serializer=serializer)
        for name, value in (("host", host), ("path", path), ("username", username), ("key_filename", key_filename)):
            options.text(name, value)
        options.whole_number("port", port, 1)
        options.require("known_hosts", known_hosts, (str, Path), "a path")
        if not path.startswith("/"):
            raise ValueError("path must be absolute, such as /srv/results.")
        self.host, self.path, self.port, self.username = host, "/" + path.strip("/"), port, username
        self.key_filename, self.known_hosts = key_filename, known_hosts
        self._forget()

    @property
    def address(self) -> str:
        user = f"{self.username}@" if self.username else ""
        port = f":{self.port}" if self.port != 22 else ""
        return f"sftp://{user}{self.host}{port}{self.path}"

    def put(self, location: str, content: bytes) -> None:
        def write(files: Any) -> None:
            folder, name = self._folder(files, location, make=True)
            draft = posixpath.join(folder, f".{ids.uuid7()}.draft")
            try:
                with files.open(draft, "wbx") as out:
                    out.chmod(0o600)
                    out.set_pipelined(True)
                    out.write(content)
                files.posix_rename(draft, posixpath.join(folder, name))
            except BaseException:
                with suppress(Exception):
                    files.remove(draft)
                raise

        self._with("written to", location, write)

    def get(self, location: str) -> bytes:
        def read(files: Any) -> bytes:
            folder, name = self._folder(files, location)
            path = posixpath.join(folder, name)
            if not stat.S_ISREG(files.lstat(path).st_mode):
                raise ResultError(f"There is something other than a file at {self.where(location)}; remove it.")
            with files.open(path, "rb") as file:
                file.prefetch()
                content: bytes = file.read()
                return content

        return self._with("read from", location, read)

    def has(self, location: str) -> bool:
        def look(files: Any) -> bool:
            folder, name = self._folder(files, location)
            return not stat.S_ISDIR(files.lstat(posixpath.join(folder, name)).st_mode)

        try:
            return self._with("looked for at", location, look)
        except ResultNotFoundError:
            return False

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    # --- the connection: one, used by one thread at a time

    def _with(self, verb: str, location: str, work: Callable[[Any], T]) -> T:
        check_location(location)
        paramiko = _paramiko()
        with self._lock:
            try:
                return work(self._files(paramiko))
            except FileNotFoundError:
                raise self.not_found(location) from None
            except (OSError, EOFError, paramiko.SSHException) as error:
                if not isinstance(error, PermissionError):
                    self.close()  # a broken connection must not outlive its error
                raise self.trouble(verb, location, _why(error)) from None

    def _files(self, paramiko: Any) -> Any:
        if self._client is not None and self._process == os.getpid() and self._client.get_transport().is_active():
            return self._sftp
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        hosts = self.known_hosts or os.environ.get("SFTP_KNOWN_HOSTS")
        if hosts:
            client.load_host_keys(str(Path(hosts).expanduser()))
        else:
            client.load_system_host_keys()
        client.connect(
            self.host,
            self.port,
            self.username,
            password=os.environ.get("SFTP_PASSWORD"),
            key_filename=self.key_filename,
            timeout=_PATIENCE,
            banner_timeout=_PATIENCE,
            auth_timeout=_PATIENCE,
        )
        self._client, self._process = client, os.getpid()
        self._sftp = client.open_sftp()
        self._sftp.get_channel().settimeout(_PATIENCE)
        return self._sftp

    def close(self) -> None:
        """Close the connection. The next use opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._client = self._sftp = None
        self._process = 0

    def _folder(self, files: Any, location: str, make: bool = False) -> tuple[str, str]:
        """The real folder of a location, and the name in it. Raises ResultLocationError if a link leads outside the path."""
        folder, name = posixpath.split(posixpath.join(self.path, location))
        if make:
            remote_folders.make(files, folder, 0o700)
        base, real = files.normalize(self.path), files.normalize(folder)
        if real != base and not real.startswith(base.rstrip("/") + "/"):
            raise ResultLocationError(
                f"The result location {location!r} leads outside {self.path}; remove the link there."
            )
        return real, name


def _paramiko() -> Any:
    try:
        import paramiko
    except ImportError:
        raise ResultError(f"Results over SFTP need another library; run: {install('sftp')}") from None
    return paramiko


def _why(error: Exception) -> str:
    name = type(error).__name__
    if name == "AuthenticationException":
        return "the host rejects these credentials"
    if name in ("BadHostKeyException", "SSHException") and (
        "known_hosts" in str(error) or "host key" in str(error).lower()
    ):
        return "the host's key is not the one in known_hosts"
    text = getattr(error, "strerror", None) or str(error) or name
    return str(text).splitlines()[0][:300].rstrip(".")
