"""What a project's pyproject.toml declares of its flows, in `[tool.appliance.flows.NAME]`. It counts as code: a field has one place.

[tool.appliance]
project = "finance"
storage = "local"

[tool.appliance.flows.nightly]
source = "src/sales/nightly.py"
labels = ["gpu"]
parameters = { region = "eu" }
run_config = { env = { GREETING = "hello" } }
schedules = [{ cron = "30 2 * * *", timezone = "Europe/Berlin", overlap = "skip" }]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from appliance.core.errors import FlowBuildError
from appliance.kit import options, suggestions
from appliance.kit.option_names import refuse_unknown
from appliance.packaging.choices import chosen
from appliance.packaging.run_config_tables import run_config_of
from appliance.packaging.schedule_tables import schedule_of
from appliance.packaging.sources import PROJECT_FILE as NAME
from appliance.packaging.sources import project_of
from appliance.schedules import ScheduleError, policies

_TABLE = "tool.appliance"
_KEYS = ("project", "exclude", "flows", "storage")


@dataclass(frozen=True)
class Declared:
    """What the file says of one flow. `schedules` and `run_config` are None if it says nothing of them."""

    place: str = ""
    source: str | None = None
    labels: frozenset[str] = frozenset()
    policies: Mapping[str, Any] = field(default_factory=dict)
    schedules: list[dict[str, Any]] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_config: dict[str, Any] | None = None

    def labels_beside(self, flow: str, own: Collection[str]) -> frozenset[str]:
        """The labels, if the flow's code has none. Raises FlowBuildError."""
        if self.labels and own:
            raise self._twice(flow, "labels")
        return self.labels

    def applied(self, flow: str, document: dict[str, Any], has_run_config: bool) -> dict[str, Any]:
        """The flow's document with what the file says, if its code does not say the same. Raises FlowBuildError."""
        document = document | {"parameters": self._defaults(flow, document["parameters"])}
        document["schedules"] = self._schedules(flow, document["schedules"])
        known = {parameter["name"] for parameter in document["parameters"]}
        for schedule in self.schedules or ():
            self._refuse_unknown(flow, schedule["parameters"], known)
        if self.run_config is not None:
            if has_run_config:
                raise self._twice(flow, "run_config")
            document["run_config"] = document["run_config"] | self.run_config
        return document

    def _schedules(self, flow: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.schedules is not None:
            if documents:
                raise self._twice(flow, "schedules")
            return self.schedules
        if self.policies and not documents:
            raise FlowBuildError(f"{self.place} has policies for the schedules of flow {flow!r}, which has none.")
        for name in self.policies:
            if any(name in document for document in documents):
                raise self._twice(flow, name)
        return [{**document, **self.policies} for document in documents]

    def _defaults(self, flow: str, parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._refuse_unknown(flow, self.parameters, {parameter["name"] for parameter in parameters})
        return [
            parameter | {"default": self.parameters[parameter["name"]], "required": False}
            if parameter["name"] in self.parameters
            else parameter
            for parameter in parameters
        ]

    def _refuse_unknown(self, flow: str, names: Collection[str], known: Collection[str]) -> None:
        for name in names:
            if name not in known:
                advice = suggestions.hint(name, known, "its parameters are")
                raise FlowBuildError(
                    f"{self.place} sets parameter {name!r}, which flow {flow!r} does not have; {advice}"
                )

    def _twice(self, flow: str, name: str) -> FlowBuildError:
        return FlowBuildError(
            f"Flow {flow!r} declares {name} both in its code and in {self.place}; keep one of them, so that it is clear which counts."
        )


@dataclass(frozen=True)
class ProjectFile:
    """The table `[tool.appliance]` of one file, checked but for the tables of its flows."""

    folder: Path
    text: str
    project: str | None
    flows: Mapping[str, Any]
    storage: Any = None

    def flow(self, name: str) -> Declared:
        """What it says of one flow. Raises FlowBuildError for what can't be meant."""
        if name not in self.flows:
            return Declared()
        section = f"[{_TABLE}.flows.{name}]"
        said: dict[str, Any] = {}
        key = None
        try:
            table = _table(self.flows[name])
            key = next((key for key in table if key not in _READERS), None)
            refuse_unknown(section, table, tuple(_READERS))
            if "schedule" in table and "schedules" in table:
                key = "schedule"
                raise TypeError("schedule has the policies of schedules in the code; say them in each of schedules.")
            for key in table:
                said[_FIELDS.get(key, key)] = _READERS[key](f"{section} {key}", table[key])
        except (TypeError, ValueError, ScheduleError) as error:
            place = _line(self.text, name, key)
            said_where = str(error).startswith(section)
            raise FlowBuildError(f"{NAME}{place}: {'' if said_where else f'{section}: '}{error}") from error
        return Declared(f"{NAME} {section}", **said)


def read(folder: Path) -> ProjectFile:
    """The file in a folder. Raises FlowBuildError."""
    try:
        text = (folder / NAME).read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        tool = tomllib.loads(text).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FlowBuildError(f"{NAME} of {folder.name} can't be read: {error}.") from error
    own = tool.get("appliance", {}) if isinstance(tool, dict) else {}
    key = None
    try:
        key = next((key for key in _table(own) if key not in _KEYS), None)
        refuse_unknown(f"[{_TABLE}]", own, _KEYS)
        options.strings("exclude", own.get("exclude"))
        project = options.text("project", own.get("project"))
        key = "storage"
        storage = chosen(own["storage"]) if "storage" in own else None
        return ProjectFile(folder, text, project, _table(own.get("flows", {})), storage)
    except (TypeError, ValueError) as error:
        raise FlowBuildError(f"{NAME}{_line(text, None, key)}: {error}") from error


def declared(source: Path, flow: str) -> Declared:
    """What the nearest pyproject.toml above a flow's file says of the flow. Raises FlowBuildError for what can't be meant."""
    folder = project_of(source)
    return Declared() if folder is None else read(folder).flow(flow)


def storage_of(source: Path) -> Any:
    """The storage that the project of a flow's file names; None if it names none. Raises FlowBuildError."""
    folder = project_of(source)
    return None if folder is None else read(folder).storage


def _labels(_place: str, value: Any) -> frozenset[str]:
    return options.strings("labels", value)


def _source(_place: str, value: Any) -> str | None:
    return options.text("source", value)


def _policies(place: str, value: Any) -> dict[str, Any]:
    refuse_unknown(place, _table(value), tuple(policies.DEFAULTS))
    return policies.require(value)


def _schedules(place: str, value: Any) -> list[dict[str, Any]]:
    return [schedule_of(place, _table(_plain(item))) for item in options.listed("schedules", value, str)]


def _parameters(_place: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = _plain(_table(value))
    return values


def _run_config(place: str, value: Any) -> dict[str, Any]:
    return run_config_of(place, _table(_plain(value)))


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "source": _source,
    "labels": _labels,
    "schedule": _policies,
    "schedules": _schedules,
    "parameters": _parameters,
    "run_config": _run_config,
}
_FIELDS = {"schedule": "policies"}


def _plain(value: Any) -> Any:
    """A value of TOML as one of JSON: times are texts in ISO 8601."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else value


def _line(text: str, flow: str | None, key: str | None) -> str:
    """The line of a key in the table of a flow or in our own, as ", line 12"; empty if it isn't written as usual."""
    names = [] if flow is None else ["flows", flow]
    path = r"\s*\.\s*".join([r"tool", "appliance", *(rf"[\"']?{re.escape(name)}[\"']?" for name in names)])
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = re.match(rf"\s*\[\s*{path}\s*\]", line) is not None
            below = key is not None and re.match(rf"\s*\[+\s*{path}\s*\.\s*[\"']?{re.escape(key)}\b", line) is not None
            if below or (inside and key is None):
                return f", line {number}"
        elif inside and key is not None and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return f", line {number}"
    return ""


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a table was expected, such as [tool.appliance.flows.nightly].")
    return value
