"""Where and how a run's process is started: the agent reads it, the engine does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from os import PathLike, fspath
from typing import Any, ClassVar

from appliance.kit import options
from appliance.kit.run_environment import env_problem, user_problem
from appliance.protocol.environments import normalized, python_problem, requirements_problem
from appliance.protocol.run_limits import limits_problem


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
    """Runs as a process on the agent's machine, in `working_dir` when given.

    With `python`, `requirements`, or `lock`, it gets an environment of its own, which has the SDK and these packages: `python` is a version such as
    "3.12" or the path of an interpreter, by default the agent's; `requirements` are names with pins, such as "pandas==2.2.3"; and `lock` is the file
    that has them instead, from the folder of the project or, without one, of the flow. It is read when the flow is registered.

    `limits` are what the process may use, such as `{"memory": "2Gi", "cpu_seconds": 3600, "open_files": 1024, "processes": 256, "file_size": "10Gi"}`:
    each of its processes gets no more. They can only lower what the agent's processes have. `user` is the account as which it works, if the agent's
    administrator permits that (`APPLIANCE_AGENT_USERS`).
    """

    kind = "process"
    python: str | None = None
    requirements: Sequence[str] = ()
    lock: str | None = None
    limits: Mapping[str, int | str] = {}
    user: str | None = None
    # these five are only in objects that are given one: earlier releases saved them without

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        labels: Iterable[str] = (),
        working_dir: str | None = None,
        python: str | None = None,
        requirements: Iterable[str] = (),
        lock: str | PathLike[str] | None = None,
        limits: Mapping[str, int | str] | None = None,
        user: str | None = None,
    ) -> None:
        super().__init__(env, labels)
        self.working_dir = options.text("working_dir", working_dir)
        options.require("lock", lock, (str, PathLike), "the path of a file")
        own = {
            "python": options.text("python", python),
            "requirements": sorted({*map(normalized, options.strings("requirements", requirements))}),
            "lock": None if lock is None else fspath(lock),
            "limits": {name: _plain(amount) for name, amount in sorted(options.mapping("limits", limits).items())},
            "user": options.text("user", user),
        }
        vars(self).update({name: value for name, value in own.items() if value not in (None, [], {})})
        if self.lock is not None and self.requirements:
            raise ValueError("A run config has either requirements or a lock; put the requirements into the lock.")
        problem = python_problem(self.python) or requirements_problem(self.requirements)
        problem = problem or limits_problem(self.limits) or user_problem(self.user)
        if problem:
            raise ValueError(problem)

    def to_document(self) -> dict[str, Any]:
        document = super().to_document() | {"working_dir": self.working_dir}
        own = {name: getattr(self, name) for name in ("python", "requirements", "lock", "limits", "user")}
        return document | {name: value for name, value in own.items() if value}


def _plain(amount: Any) -> Any:
    """A whole number of any kind, such as numpy's, as an int."""
    return int(amount) if isinstance(amount, Integral) and not isinstance(amount, bool) else amount


class LocalRun(ProcessRun):
    """The same as `ProcessRun`, under the name that earlier releases gave it; agents of those know it, too."""

    kind = "local"
