"""The keys with which runs seal the results that the appliance keeps: the agent derives one for each project from the site's key, which it keeps to
itself, and hands it to a run's process together with its token."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from uuid import UUID

from appliance.engine.results.doors import DoorError
from appliance.engine.results.sealed import ResultKey
from appliance.kit.distribution import MissingExtra
from appliance.packaging import sealing
from appliance.packaging.sealing import BundleKey, KeyMissing

_KEY, _PROJECT, _PROBLEM = "APPLIANCE_RUN_RESULTS_KEY", "APPLIANCE_RUN_PROJECT_ID", "APPLIANCE_RUN_RESULTS_PROBLEM"


class RunKeys:
    """The agent's side. If its key can't be used, its runs store nothing with the appliance, since that would not be sealed."""

    def __init__(self, key: BundleKey | None = None, problem: str = "") -> None:
        self._key, self.problem = key, problem

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> RunKeys:
        """Those from the key that the environment names, if it names one."""
        try:
            return cls(sealing.key_of(os.environ if environ is None else environ))
        except (KeyMissing, MissingExtra) as error:
            return cls(problem=f"Results that the appliance keeps can't be sealed or opened by runs here: {error}")

    @property
    def id(self) -> str:
        """The same for agents that can read each other's results; empty without a key."""
        return "" if self._key is None else self._key.results_id

    def variables(self, project_id: UUID | None) -> dict[str, str]:
        """What the process of a run of this project gets in its environment, and takes out of there."""
        if self.problem:
            return {_PROBLEM: self.problem}
        if self._key is None or project_id is None:
            return {}
        return {_KEY: self._key.for_results(project_id).hex(), _PROJECT: str(project_id)}


@dataclass(frozen=True)
class HandedKey:
    """The run's side: the key for the results of its project, or why there is none although there should be."""

    project_id: UUID | None = None
    content: bytes = field(default=b"", repr=False)
    problem: str = ""

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> HandedKey:
        """Remove it from the environment, which programs that a task starts inherit."""
        key, project, problem = (environ.pop(name, "") for name in (_KEY, _PROJECT, _PROBLEM))
        return cls(UUID(project), bytes.fromhex(key)) if key and project else cls(problem=problem)

    def key(self) -> ResultKey | None:
        """None where results are not sealed. Raises DoorError."""
        if self.problem:
            raise DoorError(self.problem)
        return None if self.project_id is None else ResultKey(self.content, self.project_id)
