"""Folders on another machine, over a session of SFTP."""

from __future__ import annotations

import posixpath
from typing import Any


def make(files: Any, folder: str, mode: int) -> None:
    """Create the folder and its missing parents with this mode. Raises OSError."""
    try:
        files.stat(folder)
    except FileNotFoundError:
        make(files, posixpath.dirname(folder), mode)
        try:
            files.mkdir(folder, mode)
        except OSError:
            files.stat(folder)  # another process was faster; otherwise this raises the real error
