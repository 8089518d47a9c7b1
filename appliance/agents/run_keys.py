"""The keys with which runs seal the results that the appliance keeps: the agent derives those of a project from the site's keys, which it keeps to
itself, and hands them to a run's process together with its token."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from appliance.engine.results.doors import DoorError
from appliance.engine.results.sealed import ResultKey
from appliance.kit.distribution import MissingExtra
from appliance.kit.site_key import HELD_FROM, SETTING
from appliance.packaging import sealing
from appliance.packaging.sealing import BundleKey, KeyMissing

_KEY, _KEY_ID = "APPLIANCE_RUN_RESULTS_KEY", "APPLIANCE_RUN_RESULTS_KEY_ID"
_PROJECT, _PROBLEM = "APPLIANCE_RUN_PROJECT_ID", "APPLIANCE_RUN_RESULTS_PROBLEM"


class RunKeys:
    """The agent's side. If its key can't be used, its runs store nothing with the appliance, since that would not be sealed."""

    def __init__(
        self, key: BundleKey | None = None, problem: str = "", file: Path | None = None, held: bool = False
    ) -> None:
        """`file` has the keys; they are `held` if root has read it for an agent that is another user."""
        self._key, self.problem, self.file, self.held = key, problem, file, held

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> RunKeys:
        """Those from the key that the environment names, if it names one."""
        environ = os.environ if environ is None else environ
        held = environ.get(HELD_FROM, "")
        file = held or environ.get(SETTING, "")
        try:
            return cls(sealing.key_of(environ), file=Path(file) if file else None, held=bool(held))
        except (KeyMissing, MissingExtra) as error:
            return cls(problem=f"Results that the appliance keeps can't be sealed or opened by runs here: {error}")

    @property
    def ids(self) -> list[str]:
        """Those of the keys, of which the first seals: agents that have it can read each other's results."""
        return [] if self._key is None else self._key.ids

    def variables(self, project_id: UUID | None) -> dict[str, str]:
        """What the process of a run of this project gets in its environment, and takes out of there."""
        if self.problem:
            return {_PROBLEM: self.problem}
        if self._key is None or project_id is None:
            return {}
        keys = " ".join(key.hex() for key in self._key.for_results(project_id))
        return {_KEY: keys, _KEY_ID: self._key.ids[0], _PROJECT: str(project_id)}


@dataclass(frozen=True)
class HandedKey:
    """The run's side: the keys for the results of its project, or why there is none although there should be."""

    project_id: UUID | None = None
    keys: Sequence[bytes] = field(default=(), repr=False)
    id: str = ""
    problem: str = ""

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> HandedKey:
        """Remove it from the environment, which programs that a task starts inherit."""
        keys, id, project, problem = (environ.pop(name, "") for name in (_KEY, _KEY_ID, _PROJECT, _PROBLEM))
        return cls(UUID(project), [*map(bytes.fromhex, keys.split())], id) if keys and project else cls(problem=problem)

    def key(self) -> ResultKey | None:
        """None where results are not sealed. Raises DoorError."""
        if self.problem:
            raise DoorError(self.problem)
        return None if self.project_id is None else ResultKey(self.keys, self.project_id, self.id)
