"""Files that take their place only when they are complete."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def draft(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` at the end of the block, if that goes well."""
    hidden = _hidden(path)
    try:
        with _opened(hidden, path) as file:
            yield file
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A folder, not yet made, that takes the place of `path`, which must not exist, at the end of the block, if that goes well."""
    hidden = _hidden(path)
    try:
        yield hidden
        hidden.rename(path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _opened(hidden: Path, path: Path) -> BinaryIO:
    try:
        return hidden.open("wb")
    except OSError as error:
        error.filename = str(path)  # which is what people know
        raise


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.draft")
