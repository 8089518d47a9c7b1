"""Where and how a run's process is started: the agent reads it, the engine does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from appliance.kit import options
from appliance.kit.run_environment import env_problem


class RunConfig:
    """Environment variables for the run and labels that its agent must have. Over another one, of a schedule or a run, it changes what it says."""

    kind: ClassVar[str] = "universal"

    def __init__(self, env: Mapping[str, str] | None = None, labels: Iterable[str] = ()) -> None:
        self.env = {str(key): str(value) for key, value in options.mapping("env", env).items()}
        problem = env_problem(self.env)
        if problem:
            raise ValueError(problem)
        self.labels = options.strings("labels", labels)

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is registered; the same config always gives the same bytes."""
        return {"type": self.kind, "env": dict(sorted(self.env.items())), "labels": sorted(self.labels)}


class UniversalRun(RunConfig):
    """Runs on any agent."""


class ProcessRun(RunConfig):
    """Runs as a process on the agent's machine, in `working_dir` when given."""

    kind = "process"

    def __init__(
        self, env: Mapping[str, str] | None = None, labels: Iterable[str] = (), working_dir: str | None = None
    ) -> None:
        super().__init__(env, labels)
        self.working_dir = options.text("working_dir", working_dir)

    def to_document(self) -> dict[str, Any]:
        return super().to_document() | {"working_dir": self.working_dir}


class LocalRun(ProcessRun):
    """The same as `ProcessRun`, under the name that earlier releases gave it; agents of those know it, too."""

    kind = "local"
