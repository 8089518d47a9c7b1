"""A tree of files as one ZIP file: the same bytes for the same files, and safe to unpack, whoever made it.

What is in an archive is identified by its list, the names of the files and the hashes of their contents, and not by its bytes, which differ
between versions of the library that compresses them.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from appliance.core import flow_source
from appliance.kit.errors import ApplianceError
from appliance.protocol.fetched_code import MOST_FILES, is_plain

if TYPE_CHECKING:
    import zipfile

MOST_UNPACKED = 500 * 1024**2
MOST_ENTRIES = MOST_FILES + 10
"""Besides the files of a version, there are lists of requirements."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644 << 16
_ENTRY = b"PK\x01\x02"
_LEVEL = 6
_METHODS = (0, 8)
"""Stored and deflated."""
_ENCRYPTED = 1
_LONGEST_NAME = 1_000


class BadArchive(ApplianceError):
    """An archive is damaged, or was not made here."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files, by their paths."""
    import zipfile  # here, since the processes of runs import this module and don't need it

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = _FILE, 3
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, _LEVEL)
    return target.getvalue()


def listing(files: Mapping[str, bytes]) -> bytes:
    """What identifies these files, as canonical JSON: the hash of each by its path."""
    return encoded({name: flow_source.digest(content) for name, content in files.items()})


def encoded(hashes: Mapping[str, str]) -> bytes:
    """The same, if the hashes are known."""
    return msgspec.json.encode(dict(hashes), order="deterministic")


def digest(hashes: Mapping[str, str]) -> str:
    """The hash that identifies files with these hashes."""
    return hashlib.sha256(encoded(hashes)).hexdigest()


def unpack(data: bytes, folder: Path, expected: Collection[str] | None = None) -> None:
    """Write the files into an empty folder: regular files below it, in bounded number and size, and if `expected` is given, no others than these.
    Raises BadArchive, or OSError if the disk takes nothing."""
    import zipfile

    if data.count(_ENTRY) > 2 * MOST_ENTRIES:
        raise BadArchive("it has too many entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _unpack(archive, folder.resolve(), expected)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        RuntimeError,
        LookupError,
    ) as error:
        raise BadArchive("it can't be read") from error


def _unpack(archive: zipfile.ZipFile, folder: Path, expected: Collection[str] | None) -> None:
    entries, left = archive.infolist(), MOST_UNPACKED
    names = [entry.filename for entry in entries]
    if len(names) > MOST_ENTRIES or len(set(names)) != len(names):
        raise BadArchive("it has too many entries, or one twice")
    for entry in entries:
        name = entry.filename
        if entry.orig_filename != name or not is_plain(name) or len(name) > _LONGEST_NAME or not _is_file(entry):
            raise BadArchive("it has an entry that is not a plain file in its folder")
        if expected is not None and name not in expected:
            raise BadArchive("it has a file that doesn't belong to the version")
        left -= _write(archive, entry, folder / name, min(left, flow_source.MOST_BYTES))


def _is_file(entry: zipfile.ZipInfo) -> bool:
    kind = entry.external_attr >> 16 & 0o170000
    return kind == 0o100000 and entry.compress_type in _METHODS and not entry.flag_bits & _ENCRYPTED


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most: int) -> int:
    """How many bytes the file has. Raises BadArchive for more than `most`."""
    with archive.open(entry) as source:
        content = source.read(most + 1)
    if len(content) > most:
        raise BadArchive("it is too large when it is unpacked")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadArchive("a file of it has the name of a folder") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return len(content)
