"""The lock file that a run config names, whose requirements are registered with the flow, so that an agent needs no file of the author."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.core.errors import FlowBuildError
from appliance.packaging.sources import project_of
from appliance.protocol.environments import lines_of, requirements_problem

_LONGEST = 4 * 1024 * 1024
"""In bytes, comments included."""


def resolved(flow: str, config: dict[str, Any], source: Path | None) -> dict[str, Any]:
    """A run config with the requirements of its lock in place of its path, which is relative to the folder of the project, or else of the flow's file.
    Raises FlowBuildError."""
    if "lock" not in config:
        return config
    folder = Path() if source is None else project_of(source) or source.resolve().parent
    path = folder / config["lock"]
    try:
        content = path.read_bytes()
        lines = lines_of(content.decode("utf-8")) if len(content) <= _LONGEST else None
    except OSError as error:
        raise FlowBuildError(f"The lock {path} of flow {flow!r} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise FlowBuildError(f"The lock {path} of flow {flow!r} is not a text in UTF-8.") from error
    problem = "it is longer than 4 MB." if lines is None else "" if lines else "it names no package."
    problem = problem or requirements_problem(lines or [])
    if problem:
        raise FlowBuildError(f"The lock {path} of flow {flow!r} can't be used: {problem}")
    return {name: value for name, value in config.items() if name != "lock"} | {"requirements": sorted(lines or [])}
