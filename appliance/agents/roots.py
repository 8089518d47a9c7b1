"""The folders from which an agent runs code, which its administrator decides, and no one who registers a flow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import Settings
from appliance.kit import added_folders, folders

_OWN = ("agent", "backups", "metrics", "results")


@dataclass(frozen=True)
class Roots:
    """`fixed` are those of the start, and what was added to the file in the data directory `data` comes on top. What lies in a folder of `closed`
    is only taken if a root lies in there, too."""

    fixed: tuple[str, ...]
    closed: tuple[str, ...] = ()
    data: Path | None = None

    @classmethod
    def of(
        cls, settings: Settings, chosen: Sequence[str] = (), state_dir: Path | None = None, *, home: str | None = None
    ) -> Roots:
        """Those of the options or of the settings, or else the folder of the start and the agent's home (`home`: its path, empty if there is
        none). Of the appliance's own data, nothing is taken, unless a folder in it was named or added, and what the appliance keeps in there
        never is."""
        named = [*chosen] or [name for name in settings.agent_roots.split(os.pathsep) if name.strip()]
        data = settings.data_path
        own = [data, *(data / name for name in _OWN), *([] if state_dir is None else [state_dir])]
        closed = _resolved(own)
        if named:
            return cls(_resolved(Path(name.strip()).expanduser() for name in named), closed, data)
        usual = _resolved(place for place in (_here(), _home(home)) if place is not None)
        return cls(tuple(place for place in usual if place != "/" and not _is_in(place, closed)), closed, data)

    @property
    def open(self) -> tuple[str, ...]:
        """All roots, as of now."""
        added = [] if self.data is None else added_folders.read(self.data)
        return tuple(dict.fromkeys([*self.fixed, *added]))

    def problem(self, what: str, path: str) -> str:
        """Why this agent does not use the path of a flow file or a working directory, in a sentence; empty if it does."""
        roots = self.open
        if folders.is_open(path, roots, self.closed):
            return ""
        return folders.refusal(what, path, "this agent", list(roots))


def _here() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # the folder was deleted
        return None


def _home(path: str | None) -> Path | None:
    try:
        home = Path.home() if path is None else Path(path) if path else None
    except RuntimeError:  # the user has none
        return None
    return home if home is not None and os.access(home, os.R_OK | os.X_OK) else None


def _is_in(place: str, closed: Iterable[str]) -> bool:
    return any(Path(place).is_relative_to(folder) for folder in closed)


def _resolved(places: Iterable[Path]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(place.resolve()) for place in places))
