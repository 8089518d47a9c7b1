"""Files on other hosts over SFTP: upload, download, and list. The key of a host must be known."""

from __future__ import annotations

import fnmatch
import posixpath
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from appliance.tasks.catalogue import require

require("sftp")

from appliance.kit import remote_folders  # noqa: E402 - says what to install
from appliance.tasks.library.arguments import defaults_from_attrs, needed, needed_path  # noqa: E402
from appliance.tasks.library.drafts import draft  # noqa: E402
from appliance.tasks.library.errors import Refused  # noqa: E402
from appliance.tasks.ssh import SshConnection, SshOptions  # noqa: E402

if TYPE_CHECKING:
    import paramiko

__all__ = ["SftpDownload", "SftpList", "SftpUpload", "Transferred"]

_PATIENCE = 30.0


class Transferred(TypedDict):
    """The file that a transfer has written."""

    path: str
    bytes: int


class _SftpTask(SshConnection):
    @contextmanager
    def files(self, host: str | None) -> Iterator[paramiko.SFTPClient]:
        """Every block may be repeated: a file takes its place only when it is complete."""
        with self.connection(host, harmless=True) as client, client.open_sftp() as files:
            channel = files.get_channel()
            if channel is not None:
                channel.settimeout(_PATIENCE)
            yield files


class SftpUpload(_SftpTask):
    """Uploads a file, which is at `remote_path` only once it is complete. Missing folders are made. The result is the remote path and the size."""

    def __init__(
        self,
        host: str | None = None,
        local_path: str | Path | None = None,
        remote_path: str | None = None,
        **options: Unpack[SshOptions],
    ) -> None:
        """Takes `user`, `port`, `password`, `key`, `known_hosts`, and the options of Task, too."""
        super().__init__(host, **options)
        self.local_path, self.remote_path = local_path, remote_path

    @defaults_from_attrs("host", "local_path", "remote_path")
    def run(
        self, host: str | None = None, local_path: str | Path | None = None, remote_path: str | None = None
    ) -> Transferred:
        """Raises Unreachable, AccessDenied or Refused."""
        local, remote = needed_path(self, "local_path", local_path), needed(self, "remote_path", remote_path)
        folder, name = posixpath.split(remote)
        hidden = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}.draft")
        if not local.is_file():
            raise Refused(f"{str(local)!r} is not a file.")
        with local.open("rb") as source, self.files(host) as files:
            if folder:
                remote_folders.make(files, folder, 0o755)
            try:
                size = files.putfo(source, hidden).st_size or 0
                files.posix_rename(hidden, remote)
            except BaseException:
                _quietly(lambda: files.remove(hidden))
                raise
        return {"path": remote, "bytes": size}


class SftpDownload(_SftpTask):
    """Downloads a file, which is at `local_path` only once it is complete. The result is the local path and the size."""

    def __init__(
        self,
        host: str | None = None,
        remote_path: str | None = None,
        local_path: str | Path | None = None,
        **options: Unpack[SshOptions],
    ) -> None:
        """Takes `user`, `port`, `password`, `key`, `known_hosts`, and the options of Task, too."""
        super().__init__(host, **options)
        self.remote_path, self.local_path = remote_path, local_path

    @defaults_from_attrs("host", "remote_path", "local_path")
    def run(
        self, host: str | None = None, remote_path: str | None = None, local_path: str | Path | None = None
    ) -> Transferred:
        """Raises Unreachable, AccessDenied or Refused."""
        local, remote = needed_path(self, "local_path", local_path), needed(self, "remote_path", remote_path)
        with self.files(host) as files, draft(local) as target:
            size = files.getfo(remote, target)
        return {"path": str(local), "bytes": size}


class SftpList(_SftpTask):
    """The paths of the files in a folder whose names match `pattern`, sorted."""

    def __init__(
        self,
        host: str | None = None,
        remote_path: str | None = None,
        pattern: str = "*",
        **options: Unpack[SshOptions],
    ) -> None:
        """Takes `user`, `port`, `password`, `key`, `known_hosts`, and the options of Task, too."""
        super().__init__(host, **options)
        self.remote_path, self.pattern = remote_path, pattern

    @defaults_from_attrs("host", "remote_path", "pattern")
    def run(self, host: str | None = None, remote_path: str | None = None, pattern: str | None = None) -> list[str]:
        """Raises Unreachable, AccessDenied or Refused."""
        folder, names = needed(self, "remote_path", remote_path), needed(self, "pattern", pattern)
        with self.files(host) as files:
            entries = [entry for entry in files.listdir_attr(folder) if stat.S_ISREG(entry.st_mode or 0)]
        return sorted(
            posixpath.join(folder, one.filename) for one in entries if fnmatch.fnmatchcase(one.filename, names)
        )


def _quietly(work: Callable[[], object]) -> None:
    with suppress(Exception):  # another error is on its way
        work()
