"""Tells whether a stream's descriptor still leads to the file to which it led before."""

from __future__ import annotations

import os
from typing import Any

Place = tuple[int, int, int]
"""A descriptor, with the device and the inode of its file."""


def place_of(stream: Any) -> Place | None:
    try:
        fd = stream.fileno()
        status = os.fstat(fd)
    except (AttributeError, OSError, ValueError, TypeError):  # it has no descriptor, or is closed
        return None
    return fd, status.st_dev, status.st_ino


def leads_elsewhere(place: Place) -> bool:
    try:
        status = os.fstat(place[0])
    except OSError:  # closed: what is written there would be lost
        return False
    return (status.st_dev, status.st_ino) != place[1:]
