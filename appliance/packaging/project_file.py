"""What a project's pyproject.toml declares of its flows, in `[tool.appliance.flows.NAME]`. It counts as code: a field has one place.

[tool.appliance.flows.nightly]
labels = ["gpu"]
schedule = { overlap = "skip", catch_up = "all", catch_up_cap = 3, catch_up_window = 21600 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.core.errors import FlowBuildError
from appliance.kit import options
from appliance.kit.option_names import refuse_unknown
from appliance.schedules import ScheduleError, policies

NAME = "pyproject.toml"


@dataclass(frozen=True)
class Declared:
    """What the file says of one flow."""

    place: str = ""
    labels: frozenset[str] = frozenset()
    policies: Mapping[str, Any] = field(default_factory=dict)

    def labels_beside(self, flow: str, own: Collection[str]) -> frozenset[str]:
        """The labels, if the flow's code has none. Raises FlowBuildError."""
        if self.labels and own:
            raise self._twice(flow, "labels")
        return self.labels

    def schedules(self, flow: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The documents of the flow's schedules with the policies, if its code does not say the same ones. Raises FlowBuildError."""
        if self.policies and not documents:
            raise FlowBuildError(f"{self.place} has policies for the schedules of flow {flow!r}, which has none.")
        for name in self.policies:
            if any(name in document for document in documents):
                raise self._twice(flow, name)
        return [{**document, **self.policies} for document in documents]

    def _twice(self, flow: str, name: str) -> FlowBuildError:
        return FlowBuildError(
            f"Flow {flow!r} declares {name} both in its code and in {self.place}; keep one of them, so that it is clear which counts."
        )


def declared(source: Path, flow: str) -> Declared:
    """What the nearest pyproject.toml above a flow's file says of the flow. Raises FlowBuildError for what can't be meant."""
    file = next((folder / NAME for folder in source.resolve().parents if (folder / NAME).is_file()), None)
    if file is None:
        return Declared()
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FlowBuildError(f"{NAME} beside flow {flow!r} can't be read: {error}.") from error
    own = tool.get("appliance") if isinstance(tool, dict) else None
    if own is None:
        return Declared()
    section = f"[tool.appliance.flows.{flow}]"
    try:
        refuse_unknown("[tool.appliance]", _table(own), ("flows",))
        said = _table(_table(own.get("flows", {})).get(flow, {}))
        refuse_unknown(section, said, ("labels", "schedule"))
        schedule = _table(said.get("schedule", {}))
        refuse_unknown(f"{section} schedule", schedule, tuple(policies.DEFAULTS))
        return Declared(f"{NAME} {section}", options.strings("labels", said.get("labels")), policies.require(schedule))
    except (TypeError, ScheduleError) as error:
        raise FlowBuildError(f"{NAME}: {section}: {error}") from error


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a table was expected, such as [tool.appliance.flows.nightly].")
    return value
