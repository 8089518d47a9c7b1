"""A run config as a table of a project's pyproject.toml, such as `{ type = "docker", image = "etl:1", env = { MODE = "full" } }`."""

from __future__ import annotations

from typing import Any

from appliance.core.run_config import LocalRun, ProcessRun, UniversalRun
from appliance.kit.option_names import refuse_unknown
from appliance.protocol.run_config import decode, said

_OF_PROCESSES = ("python", "requirements", "lock", "limits", "user")


def run_config_of(place: str, table: dict[str, Any]) -> dict[str, Any]:
    """The document of a flow's run config, without labels, which are said beside it. Raises TypeError or ValueError, in one sentence."""
    if any(name in table for name in _OF_PROCESSES) and table.get("type", "process") == "process":
        refuse_unknown(place, table, ("type", "env", "working_dir", *_OF_PROCESSES))
        document = ProcessRun(**{name: item for name, item in table.items() if name != "type"}).to_document()
        return {name: item for name, item in document.items() if name != "labels"}
    if "type" in table:
        return override_of(place, table)
    refuse_unknown(place, table, ("type", "env", "working_dir", *_OF_PROCESSES))
    env, folder = table.get("env"), table.get("working_dir")
    config = UniversalRun(env) if folder is None else LocalRun(env, working_dir=folder)
    return {name: item for name, item in config.to_document().items() if name != "labels"}


def override_of(place: str, table: dict[str, Any]) -> dict[str, Any]:
    """What a schedule says of its runs, over the flow's run config. Raises TypeError or ValueError, in one sentence."""
    for name, where in (("labels", "beside the run config"), ("run_timeout", "in the code, as Flow(run_timeout=...)")):
        if name in table:
            raise TypeError(f"{place} can't have {name}; say it {where}.")
    if "type" in table:
        decode(table)
    return said(table)
