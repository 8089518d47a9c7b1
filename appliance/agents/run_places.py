"""Where the code and the working directory of a run are on this machine, and which places an agent refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.agents.agent import StartFailed
from appliance.agents.roots import Roots
from appliance.core.flow_file import FlowFile
from appliance.protocol import storage as storages
from appliance.protocol.run_config import RunConfigDocument
from appliance.protocol.storage import LocalCode


def refusal(roots: Roots, storage: Mapping[str, Any]) -> str:
    """Why code is not taken from where a version says that it is, in a sentence; empty if it is taken, or is not in a file."""
    if storages.is_fetched(storage):
        folder = storages.repository_here(storage)
        return folder and (
            roots.problem("repository", folder)
            or (roots.problem("repository", str(Path(folder).resolve())) and f"The repository {folder} is a link.")
        )
    if "path" not in storage:
        return ""
    path = str(storage["path"])
    problem = roots.problem("flow file", path)
    if not problem and storage.get("module") is not None:
        name = str(storage["module"])
        above = FlowFile.of(Path(path), name).root if name.count(".") < len(Path(path).parents) - 1 else Path("/")
        problem = roots.problem("folder of the module", str(above))
    refusals = (roots.problem("folder of the code", folder) for folder in _folders(storage))
    return problem or next(filter(None, refusals), "")


def _folders(storage: Mapping[str, Any]) -> list[str]:
    place = storages.decode(storage) if storage.get("files") else None
    return place.folders if isinstance(place, LocalCode) else []


def working_directory(storage: Mapping[str, Any], config: RunConfigDocument, directory: Path, roots: Roots) -> Path:
    """The working directory that the flow configures, or else the folder of its file."""
    if config.working_dir:
        folder = Path(config.working_dir).resolve()
        problem = roots.problem("working directory", config.working_dir) or (
            roots.problem("working directory", str(folder)) and f"The working directory {config.working_dir} is a link."
        )
        if problem:
            raise StartFailed(problem)
        if not folder.is_dir():
            raise StartFailed(
                f"The run's working directory {config.working_dir} does not exist on this machine; create it or change working_dir."
            )
        return folder
    path = storage.get("path")
    folder = Path(str(path)).parent if path else directory
    return folder if folder.is_dir() else directory
