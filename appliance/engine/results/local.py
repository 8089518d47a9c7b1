"""Stores results as files below one directory. A file appears completely or not at all, and only its owner may read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.core.errors import ResultError, ResultLocationError
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result, Template, check_location
from appliance.engine.results.file_packs import FilePack, make_folder, why
from appliance.kit import ids, options


class LocalResult(Result):
    """Files below `dir`, which is created when the first result is written. `~` is the home of the user who runs the flow. `shared`: every
    host on which the flow runs sees the same files there, so a run can go on with them on any."""

    shared = False

    def __init__(
        self,
        dir: str | Path = "~/.appliance/results",
        *,
        shared: bool = False,
        location: Template | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(location=location, serializer=serializer)
        if options.flag("shared", shared):
            self.shared = True
        self.dir = Path(options.require("dir", dir, (str, os.PathLike), "a path"))

    @property
    def address(self) -> str:
        return ("shared+" if self.shared else "") + self.folder.as_uri()

    def put(self, location: str, content: bytes) -> None:
        check_location(location)
        try:
            folder, name = self._folder(location, make=True)
            _write(folder, name, content)
        except OSError as error:
            raise self.trouble("written to", location, why(error)) from error

    def get(self, location: str) -> bytes:
        with self._opened(location) as file:
            return file.read()

    def new_pack(self, location: str) -> FilePack:
        check_location(location)
        try:
            folder, name = self._folder(location, make=True)
            return FilePack(self, location, folder / name)
        except OSError as error:
            raise self.trouble("written to", location, why(error)) from error

    def get_part(self, location: str, offset: int, length: int) -> bytes:
        with self._opened(location) as file:
            return os.pread(file.fileno(), length, offset)

    def has(self, location: str) -> bool:
        check_location(location)
        try:
            folder, name = self._folder(location)
            return not stat.S_ISDIR((folder / name).lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self.trouble("looked for at", location, why(error)) from error

    @contextmanager
    def _opened(self, location: str) -> Iterator[BinaryIO]:
        """The file at the location. Raises what `get` raises."""
        check_location(location)
        try:
            folder, name = self._folder(location)
            # A link could lead outside the directory, and the other end of a pipe may never write.
            file = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(file, "rb") as content:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise ResultError(f"There is something other than a file at {self.where(location)}; remove it.")
                yield content
        except (FileNotFoundError, NotADirectoryError):
            raise self.not_found(location) from None
        except OSError as error:
            raise self.trouble("read from", location, why(error)) from error

    @property
    def folder(self) -> Path:
        """The full path of the directory."""
        return self.dir.expanduser().absolute()

    def _folder(self, location: str, make: bool = False) -> tuple[Path, str]:
        """The real folder of a location, and the name in it. Raises ResultLocationError if a link leads outside the directory."""
        base = self.folder
        path = base / location
        if make:
            make_folder(path.parent)
        folder = path.parent.resolve(strict=True)
        if not folder.is_relative_to(base.resolve()):
            raise ResultLocationError(f"The result location {location!r} leads outside {base}; remove the link there.")
        return folder, path.name


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write so that after a power cut the name has either the old content or the new. A missing result is computed again."""
    draft = folder / f".{ids.uuid7()}.draft"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(file, "wb", buffering=0) as out:
            left = memoryview(content)
            while left:
                left = left[out.write(left) :]
            os.fsync(file)
        draft.replace(folder / name)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
