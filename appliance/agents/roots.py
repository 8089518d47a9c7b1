"""The folders from which an agent runs code, which its administrator decides, and no one who registers a flow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import Settings
from appliance.kit import folders

_OWN = ("agent", "backups", "metrics", "results")


@dataclass(frozen=True)
class Roots:
    """`open` are the roots themselves; what lies in a folder of `closed` is only taken if a root lies in there, too."""

    open: tuple[str, ...]
    closed: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, chosen: Sequence[str] = (), state_dir: Path | None = None) -> Roots:
        """Those of the options or of the settings, or else the whole disk. Of the appliance's own data, nothing is taken, unless its
        folder is a root itself or the agent was started in it; what the appliance keeps in there never is."""
        named = [*chosen] or [name for name in settings.agent_roots.split(os.pathsep) if name.strip()]
        data = settings.data_path
        own = [data, *(data / name for name in _OWN), *([] if state_dir is None else [state_dir])]
        places = [Path(name.strip()).expanduser() for name in named]
        return cls(_resolved(places or [Path("/"), *_here()]), _resolved(own))

    def problem(self, what: str, path: str) -> str:
        """Why this agent does not use the path of a flow file or a working directory, in a sentence; empty if it does."""
        if folders.is_open(path, self.open, self.closed):
            return ""
        return folders.refusal(what, path, "this agent", list(self.open))


def _here() -> list[Path]:
    try:
        return [Path.cwd()]
    except OSError:  # the folder was deleted
        return []


def _resolved(places: Iterable[Path]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(place.resolve()) for place in places))
