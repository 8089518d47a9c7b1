"""Files on the machine of the run: copy, move, remove, find, pack, unpack, hash, and wait for those that others write."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, Unpack

from appliance.kit import clock
from appliance.tasks.library.arguments import defaults_from_attrs, needed, needed_path
from appliance.tasks.library.drafts import draft, draft_folder
from appliance.tasks.library.errors import Refused
from appliance.tasks.library.interruption import interruptible
from appliance.tasks.library.task import LibraryTask, TaskOptions

__all__ = ["Copy", "Glob", "Hash", "Move", "Remove", "Stable", "Tar", "Untar", "Unzip", "WaitUntilStable", "Zip"]

_CHUNK = 1024 * 1024
_COMPRESSIONS = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}
AnyPath = str | Path
Go = Callable[[], None]
"""Called between parts of the work. It raises if the task must stop."""


class _FileTask(LibraryTask):
    @contextmanager
    def work(self) -> Iterator[Go]:
        """Errors of the file system are sentences in the block."""
        stopped = threading.Event()

        def go() -> None:
            if stopped.is_set():
                raise Refused("The task was stopped.")

        with interruptible(self, stopped.set):
            try:
                yield go
            except OSError as error:
                place = f"{str(error.filename)!r}: " if error.filename else ""
                raise Refused(f"{place}{error.strerror or error}.", error.errno) from None
            except (tarfile.TarError, zipfile.BadZipFile, shutil.Error) as error:
                raise Refused(f"{type(self).__name__}: {error}.") from None


class Copy(_FileTask):
    """Copies a file or a folder, which is at `target_path` only once it is complete. A file is replaced there; a folder isn't. If `target_path`
    is a folder, the copy is made in it. The result is the path of the copy."""

    def __init__(
        self, source_path: AnyPath | None = None, target_path: AnyPath | None = None, **options: Unpack[TaskOptions]
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.source_path, self.target_path = source_path, target_path

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: AnyPath | None = None, target_path: AnyPath | None = None) -> Path:
        """Raises Refused."""
        with self.work() as go:
            source, target = _pair(self, source_path, target_path)
            _copy(source, target, go)
            return target


class Move(_FileTask):
    """Moves a file or a folder, also to another file system. A file is replaced at `target_path`; a folder isn't. If `target_path` is a folder, it is
    moved into it. The result is the new path."""

    def __init__(
        self, source_path: AnyPath | None = None, target_path: AnyPath | None = None, **options: Unpack[TaskOptions]
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.source_path, self.target_path = source_path, target_path

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: AnyPath | None = None, target_path: AnyPath | None = None) -> Path:
        """Raises Refused."""
        with self.work() as go:
            source, target = _pair(self, source_path, target_path)
            try:
                source.rename(target)
            except OSError as error:
                if error.errno != 18:  # EXDEV: another file system
                    raise
                _copy(source, target, go)
                _remove(source)
            return target


class Remove(_FileTask):
    """Removes a file or a folder with all that is in it. With `missing_ok`, it need not exist. The result says whether it did."""

    def __init__(self, path: AnyPath | None = None, missing_ok: bool = False, **options: Unpack[TaskOptions]) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.path, self.missing_ok = path, missing_ok

    @defaults_from_attrs("path")
    def run(self, path: AnyPath | None = None) -> bool:
        """Raises Refused."""
        with self.work():
            target = needed_path(self, "path", path)
            if self.missing_ok and not (target.exists() or target.is_symlink()):
                return False
            _remove(target)
            return True


class Glob(_FileTask):
    """Lists what matches a pattern such as `*.csv` or `**/*.csv` in a folder, sorted. The result is a list of paths."""

    def __init__(self, path: AnyPath | None = None, pattern: str | None = None, **options: Unpack[TaskOptions]) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.path, self.pattern = path, pattern

    @defaults_from_attrs("path", "pattern")
    def run(self, path: AnyPath | None = None, pattern: str | None = None) -> list[Path]:
        """Raises Refused for a folder that does not exist."""
        with self.work():
            folder = needed_path(self, "path", path)
            if not folder.is_dir():
                raise Refused(f"{str(folder)!r} is not a folder.")
            return sorted(folder.glob(needed(self, "pattern", pattern)))


class Hash(_FileTask):
    """The hash of a file's content, as hexadecimal digits. `algorithm` is one of hashlib's. With `expected`, another hash fails the task."""

    def __init__(
        self,
        path: AnyPath | None = None,
        algorithm: str = "sha256",
        expected: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too. Raises ValueError for an unknown algorithm."""
        super().__init__(**options)
        self.path, self.algorithm, self.expected = path, algorithm, expected
        hashlib.new(algorithm)

    @defaults_from_attrs("path", "expected")
    def run(self, path: AnyPath | None = None, expected: str | None = None) -> str:
        """Raises Refused."""
        with self.work() as go:
            digest = hashlib.new(self.algorithm)
            with needed_path(self, "path", path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    go()
                    digest.update(chunk)
            if expected is not None and digest.hexdigest() != expected.lower():
                raise Refused(f"{str(path)!r} has the {self.algorithm} {digest.hexdigest()}, not {expected}.")
            return digest.hexdigest()


class Zip(_FileTask):
    """Packs files and folders into an archive. The result is its path."""

    def __init__(
        self,
        source_path: AnyPath | Iterable[AnyPath] | None = None,
        zip_path: AnyPath | None = None,
        compression_level: int | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.source_path, self.zip_path, self.compression_level = source_path, zip_path, compression_level

    @defaults_from_attrs("source_path", "zip_path")
    def run(self, source_path: AnyPath | Iterable[AnyPath] | None = None, zip_path: AnyPath | None = None) -> Path:
        """Raises Refused."""
        target = needed_path(self, "zip_path", zip_path)
        level = self.compression_level
        with (
            self.work() as go,
            draft(target) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level, strict_timestamps=False) as archive,
        ):
            for path, name in _members(self, source_path):
                go()
                archive.write(path, name)
        return target


class Unzip(_FileTask):
    """Unpacks an archive into a folder, which may exist. With `most_bytes`, a larger content fails the task before anything is written.
    The result is the folder."""

    def __init__(
        self,
        zip_path: AnyPath | None = None,
        extract_dir: AnyPath | None = None,
        most_bytes: int | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.zip_path, self.extract_dir, self.most_bytes = zip_path, extract_dir, most_bytes

    @defaults_from_attrs("zip_path", "extract_dir")
    def run(self, zip_path: AnyPath | None = None, extract_dir: AnyPath | None = None) -> Path:
        """Raises Refused."""
        target = needed_path(self, "extract_dir", extract_dir)
        with self.work() as go, zipfile.ZipFile(needed_path(self, "zip_path", zip_path)) as archive:
            _refuse_large(sum(member.file_size for member in archive.infolist()), self.most_bytes)
            for member in archive.infolist():
                go()
                archive.extract(member, target)  # never outside of the folder
        return target


class Tar(_FileTask):
    """Packs files and folders into an archive, compressed as its name says: `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2` or `.tar.xz`. The result is its path."""

    def __init__(
        self,
        source_path: AnyPath | Iterable[AnyPath] | None = None,
        tar_path: AnyPath | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.source_path, self.tar_path = source_path, tar_path

    @defaults_from_attrs("source_path", "tar_path")
    def run(self, source_path: AnyPath | Iterable[AnyPath] | None = None, tar_path: AnyPath | None = None) -> Path:
        """Raises Refused."""
        target = needed_path(self, "tar_path", tar_path)
        mode: Any = f"w:{_COMPRESSIONS.get(target.suffix, '')}"
        with self.work() as go, draft(target) as file, tarfile.open(fileobj=file, mode=mode) as archive:
            for path, name in _members(self, source_path):
                go()
                archive.add(path, name, recursive=False)
        return target


class Untar(_FileTask):
    """Unpacks an archive into a folder, which may exist. Members and links that lead out of it, and devices, fail the task.
    With `most_bytes`, so does a larger content, before anything is written. The result is the folder."""

    def __init__(
        self,
        tar_path: AnyPath | None = None,
        extract_dir: AnyPath | None = None,
        most_bytes: int | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.tar_path, self.extract_dir, self.most_bytes = tar_path, extract_dir, most_bytes

    @defaults_from_attrs("tar_path", "extract_dir")
    def run(self, tar_path: AnyPath | None = None, extract_dir: AnyPath | None = None) -> Path:
        """Raises Refused."""
        if not hasattr(tarfile, "data_filter"):
            raise Refused("This Python can't unpack archives safely; use 3.11.4 or newer.")
        target = needed_path(self, "extract_dir", extract_dir)
        with self.work() as go, tarfile.open(needed_path(self, "tar_path", tar_path)) as archive:
            members = archive.getmembers()
            _refuse_large(sum(member.size for member in members), self.most_bytes)
            for member in members:
                go()
                archive.extract(member, target, filter="data")
        return target


class Stable(TypedDict):
    """The file that WaitUntilStable has waited for."""

    path: str
    bytes: int


class WaitUntilStable(_FileTask):
    """Waits until a file exists and has not changed for `stable_for` seconds, as when another program writes it. Set `timeout` as well."""

    def __init__(
        self,
        path: AnyPath | None = None,
        stable_for: float = 5.0,
        every: float = 1.0,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too. It looks at the file `every` so many seconds."""
        super().__init__(**options)
        self.path, self.stable_for, self.every = path, stable_for, every

    @defaults_from_attrs("path")
    def run(self, path: AnyPath | None = None) -> Stable:
        """Raises Refused."""
        file, pause = needed_path(self, "path", path), threading.Event()
        with self.work() as go:
            last, since = _look(file), clock.monotonic()
            while last is None or clock.monotonic() - since < self.stable_for:
                pause.wait(min(self.every, 0.2) if last is None else min(self.every, self.stable_for))
                go()
                now = _look(file)
                if now != last:
                    last, since = now, clock.monotonic()
            return {"path": str(file), "bytes": last[0]}


def _pair(task: LibraryTask, source: AnyPath | None, target: AnyPath | None) -> tuple[Path, Path]:
    """Both paths; in a folder, the target has the name of the source."""
    one, other = needed_path(task, "source_path", source), needed_path(task, "target_path", target)
    if other.is_dir():
        other = other / one.name
        if other.is_dir():
            raise Refused(f"{str(other)!r} exists.")
    return one, other


def _copy(source: Path, target: Path, go: Go) -> None:
    if source.is_dir():
        with draft_folder(target) as folder:
            shutil.copytree(source, folder, symlinks=True, copy_function=lambda a, b: _copy_file(Path(a), Path(b), go))
    else:
        with draft(target) as file:
            _pour(source, file, go)
            shutil.copystat(source, file.name)


def _copy_file(source: Path, target: Path, go: Go) -> None:
    with target.open("wb") as file:
        _pour(source, file, go)
    shutil.copystat(source, target)


def _pour(source: Path, into: BinaryIO, go: Go) -> None:
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            go()
            into.write(chunk)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _members(task: LibraryTask, sources: AnyPath | Iterable[AnyPath] | None) -> Iterator[tuple[Path, str]]:
    """All files and folders below these paths, with their names in an archive, which begin with that of the path. Links are not followed."""
    listed = [sources] if isinstance(sources, str | Path) else sources
    for source in needed(task, "source_path", listed):
        path = Path(source)
        yield path, path.name
        if path.is_dir() and not path.is_symlink():
            for inner in sorted(path.rglob("*")):
                yield inner, str(Path(path.name) / inner.relative_to(path))


def _refuse_large(size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise Refused(f"The archive has {size} bytes, more than most_bytes={most}.")


def _look(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns
