"""The results that tracked runs kept in a folder of this host: which runs there are, and how those of a deleted run are removed.

Only names of exactly the form that `core.results` gives count: `2026/01/31/RUN/NAME-ID.SUFFIX`. Each folder is opened inside the one
before, never through a link, so that nothing outside is reached even if a run puts links there meanwhile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from appliance.kit import crash

_UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_RUN = re.compile(_UUID7)
_FILE = re.compile(rf"(?:[A-Za-z0-9_.-]{{1,80}}-)?({_UUID7})(?:\.[A-Za-z0-9_.-]{{1,40}})?|\.({_UUID7})\.draft")
_LEVELS = (re.compile("[0-9]{4}"), re.compile("[0-9]{2}"), re.compile("[0-9]{2}"))
_IN_USE = timedelta(days=2)
"""A folder of a later date is not removed although it is empty: a run may be about to write to it."""


class Kept(NamedTuple):
    """A folder with the results that a run kept on one day."""

    day: tuple[str, ...]
    flow_run_id: UUID


class Freed(NamedTuple):
    """How many files were removed, and how long they were together."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: object) -> Freed:
        assert isinstance(other, Freed)
        return Freed(self.files + other.files, self.bytes + other.bytes)


class ResultFolder:
    """A folder that is the default place for the results of runs. What can't be read or removed is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: OSError | None = None
        """The first thing that was left out, other than what somebody else has removed meanwhile."""

    def kept(self) -> Generator[Kept]:
        """What runs have kept, the oldest day first. Reads each day bit by bit."""
        for day in self._dates():
            with self._noting_trouble(), self._opened(day) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    if _RUN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                        yield Kept(day, UUID(entry.name))

    def remove(self, kept: Kept) -> Freed:
        """Remove the results of a run on a day, and their folder if nothing else is in it."""
        freed, name = Freed(), str(kept.flow_run_id)
        with self._noting_trouble(), self._opened(kept.day) as day, _inside(day, name) as folder:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _is_result(entry, name):
                        freed += self._unlinked(entry.name, folder)
            crash.point("agent.results.emptied")
            with suppress(OSError):  # something else is in it
                os.rmdir(name, dir_fd=day)
        return freed

    def tidy(self, now: datetime) -> None:
        """Remove the empty folders of past dates."""
        first_in_use = tuple(f"{now - _IN_USE:%Y/%m/%d}".split("/"))
        for names in reversed(self._dates(above=True)):
            if names < first_in_use[: len(names)]:
                with suppress(OSError), self._opened(names[:-1]) as folder:  # it is not empty
                    os.rmdir(names[-1], dir_fd=folder)

    def _dates(self, *, above: bool = False) -> list[tuple[str, ...]]:
        """The folders of days in order; with `above`, those of years and months come before."""
        every: list[tuple[str, ...]] = []
        level: list[tuple[str, ...]] = [()]
        for pattern in _LEVELS:
            level = [(*parent, name) for parent in level for name in self._names(parent, pattern)]
            every += level
        return every if above else level

    def _names(self, parent: tuple[str, ...], pattern: re.Pattern[str]) -> list[str]:
        names: list[str] = []
        with self._noting_trouble(), self._opened(parent) as folder, os.scandir(folder) as entries:
            names += [one.name for one in entries if pattern.fullmatch(one.name) and one.is_dir(follow_symlinks=False)]
        return sorted(names)

    def _unlinked(self, name: str, folder: int) -> Freed:
        freed = Freed()
        with self._noting_trouble():
            size = os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
            os.unlink(name, dir_fd=folder)
            freed = Freed(1, size)
            crash.point("agent.results.unlinked")
        return freed

    @contextmanager
    def _opened(self, folders: tuple[str, ...]) -> Iterator[int]:
        """The folder, from the top down. Raises OSError, also where one of them is a link."""
        with ExitStack() as stack:
            current = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, current)
            for name in folders:
                current = stack.enter_context(_inside(current, name))
            yield current

    @contextmanager
    def _noting_trouble(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:  # nothing was ever kept, or another agent was faster
            return
        except OSError as error:
            self.trouble = self.trouble or error


@contextmanager
def _inside(folder: int, name: str) -> Iterator[int]:
    opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _is_result(entry: os.DirEntry[str], flow_run_id: str) -> bool:
    """Is it a file whose name ends in an id of its own? One with the id of the run was named by an author."""
    match = _FILE.fullmatch(entry.name)
    return match is not None and flow_run_id not in match.groups() and entry.is_file(follow_symlinks=False)
