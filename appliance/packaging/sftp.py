"""Flow code on another host, over SFTP. The other host's key must be known."""

from __future__ import annotations

import io
import os
import posixpath
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from appliance.kit import ids, options, remote_folders
from appliance.kit.distribution import install
from appliance.packaging.archived import MOST_BYTES, ArchivedStorage, Ask, Gone
from appliance.packaging.storage import CodeMissing, LoadError, Unreachable
from appliance.protocol import code_addresses
from appliance.protocol.code_places import SftpCode

_PATIENCE = 20.0
T = TypeVar("T")


class Sftp(ArchivedStorage[SftpCode]):
    """Archives in a folder of another host: `sftp://user@host/folder`.

    `key` and `password` are names of secrets: a private key, or the user's password. Without them, the agent signs in as its user may, with an
    SSH agent or the key files of that user. `known_hosts` has the lines of the hosts to trust; by default, each machine trusts those that it knows.
    """

    code = SftpCode

    def __init__(self, url: str, *, key: str | None = None, password: str | None = None, known_hosts: str = "") -> None:
        """Raises ValueError, with a sentence, for an address of another form."""
        for name, value in (("url", url), ("key", key), ("password", password), ("known_hosts", known_hosts)):
            options.text(name, value)
        if problem := code_addresses.sftp_problem(url):
            raise ValueError(problem)
        self.url, self.key, self.password, self.known_hosts = url, key, password, known_hosts

    def describe(self) -> dict[str, Any]:
        return {
            "type": "sftp",
            "url": self.url,
            "key": self.key,
            "password": self.password,
            "known_hosts": self.known_hosts,
        }

    @classmethod
    def shelf(cls, code: SftpCode, ask: Ask) -> Folder:
        password = None if code.password is None else ask(code.password)
        return Folder(code.url, password, None if code.key is None else ask(code.key), code.known_hosts)


class Folder:
    """The files in one folder. Each use has a connection of its own."""

    def __init__(self, url: str, password: str | None, key: str | None, known_hosts: str) -> None:
        self._url, self._password, self._key, self._known_hosts = url, password, key, known_hosts
        self._path = urlsplit(url).path.rstrip("/")

    def has(self, name: str) -> bool:
        def look(files: Any) -> bool:
            return stat.S_ISREG(files.lstat(posixpath.join(self._path, name)).st_mode)

        try:
            return self._with(look)
        except Gone:
            return False

    def put(self, name: str, content: bytes) -> None:
        def write(files: Any) -> None:
            remote_folders.make(files, self._path, 0o755)
            draft = posixpath.join(self._path, f".{ids.uuid7()}.draft")
            try:
                with files.open(draft, "wbx") as out:
                    out.set_pipelined(True)
                    out.write(content)
                files.posix_rename(draft, posixpath.join(self._path, name))
            except BaseException:
                with suppress(Exception):
                    files.remove(draft)
                raise

        self._with(write)

    def get(self, name: str) -> bytes:
        def read(files: Any) -> bytes:
            path = posixpath.join(self._path, name)
            status = files.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
                raise CodeMissing(
                    f"What is at {self._url} is no archive of at most {MOST_BYTES // 1024**2} MB: register the flow again."
                )
            with files.open(path, "rb") as file:
                file.prefetch(status.st_size)
                content: bytes = file.read(MOST_BYTES)
                return content

        return self._with(read)

    def _with(self, work: Callable[[Any], T]) -> T:
        try:
            import paramiko
        except ImportError:
            raise CodeMissing(
                f"Flow code over SFTP needs another library on this machine; run: {install('sftp')}"
            ) from None
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        parts = urlsplit(self._url)
        alone = self._password is not None or self._key is not None
        try:
            self._trust(client)
            client.connect(
                parts.hostname or "",
                parts.port or 22,
                parts.username,
                password=self._password,
                pkey=None if self._key is None else _private_key(paramiko, self._key),
                allow_agent=not alone,
                look_for_keys=not alone,
                timeout=_PATIENCE,
                banner_timeout=_PATIENCE,
                auth_timeout=_PATIENCE,
            )
            files = client.open_sftp()
            channel = files.get_channel()
            if channel is not None:
                channel.settimeout(_PATIENCE)
            return work(files)
        except FileNotFoundError:
            raise Gone(f"The code is not at {self._url} any more: register the flow again.") from None
        except (paramiko.AuthenticationException, PermissionError):
            raise CodeMissing(f"The host of {self._url} rejects the credentials of this machine.") from None
        except paramiko.BadHostKeyException:
            raise CodeMissing(f"The key of the host of {self._url} is not the one that is known.") from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            if "not found in known_hosts" in str(error):
                raise CodeMissing(
                    f"The key of the host of {self._url} is not known on this machine; set known_hosts."
                ) from None
            raise Unreachable(f"The host of {self._url} can't be used: {_why(error)}.") from None
        finally:
            client.close()

    def _trust(self, client: Any) -> None:
        if self._known_hosts:
            with tempfile.NamedTemporaryFile("w", prefix="appliance-hosts-") as file:
                file.write(self._known_hosts.rstrip("\n") + "\n")
                file.flush()
                client.load_host_keys(file.name)
        elif os.environ.get("SFTP_KNOWN_HOSTS"):
            client.load_host_keys(str(Path(os.environ["SFTP_KNOWN_HOSTS"]).expanduser()))
        else:
            client.load_system_host_keys()


def _private_key(paramiko: Any, text: str) -> Any:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text))
    raise LoadError(
        "The secret with the private key has none that can be used; store it as ssh-keygen writes it, without a passphrase."
    )


def _why(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:300].rstrip(".")
