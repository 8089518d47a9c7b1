"""The run config of a flow as it is registered: what a flow may say about how its runs are started. Everything else is up to the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from appliance.kit.run_environment import env_problem


class RunConfigDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="universal"):
    """What any agent can start. `working_dir` is a folder on the agent's machine, `run_timeout` in seconds."""

    env: dict[str, str] = {}
    labels: list[str] = []
    working_dir: str | None = None
    run_timeout: float | None = None


class ProcessDocument(RunConfigDocument, tag="process"):
    """A process on the agent's machine."""


class LocalDocument(ProcessDocument, tag="local"):
    """The same under the name that earlier releases know."""


_Document = RunConfigDocument | ProcessDocument | LocalDocument


def decode(document: Mapping[str, Any]) -> RunConfigDocument:
    """The run config in a document. Raises ValueError with a sentence."""
    try:
        config: RunConfigDocument = msgspec.convert({"type": "universal", **document}, _Document)
    except msgspec.ValidationError as error:
        raise ValueError(f"The run config is not valid: {error}.") from error
    problem = env_problem(config.env)
    if problem:
        raise ValueError(problem)
    if "\0" in (config.working_dir or ""):
        raise ValueError("working_dir contains a NUL character; remove it.")
    return config
