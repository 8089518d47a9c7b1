"""The run config of a run: what the code says, then the flow's defaults, the schedule and the request, each over the ones before it.

A run keeps what was said beside the code as its overrides: {layer: {"run_config": ..., "labels": true, "parameters": [names]}}.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from appliance.kit.documents import JsonDocument
from appliance.protocol.run_config import kind_of, said
from appliance.server.domain.version_comparison import HIDDEN

CODE, FLOW, SCHEDULE, RUN = "code", "flow", "schedule", "run"
LAYERS = (FLOW, SCHEDULE, RUN)
LABELS = "labels"
_FAMILIES = {"local": "process"}
_TIMEOUT = "run_timeout"


def merge(config: JsonDocument, *overrides: Mapping[str, Any]) -> JsonDocument:
    """The config, each override over it: variables by name, other fields as a whole. One of another kind replaces all but the timeout, which is
    the flow's."""
    for override in overrides:
        given = said(override)
        if is_of_another_kind(config, given):
            config = {name: value for name, value in config.items() if name == _TIMEOUT} | given
            continue
        env = {**(config.get("env") or {}), **given.get("env", {})}
        config = config | given | ({"env": env} if env else {})
    return config


def for_people(config: Mapping[str, Any] | None) -> JsonDocument:
    """A run config for people: without its labels, which are said beside it, and without the values of variables, which may be secrets."""
    document = {name: value for name, value in said(config or {}).items() if name != LABELS}
    return document | ({"env": dict.fromkeys(document["env"], HIDDEN)} if "env" in document else {})


def kept(config: Mapping[str, Any], before: Mapping[str, Any] | None) -> Any:
    """The variables of a config in which those that were shown without their values have them again."""
    env, old = config.get("env"), (before or {}).get("env") or {}
    if not isinstance(env, dict):
        return env
    return {name: old[name] if value == HIDDEN and name in old else value for name, value in env.items()}


def is_of_another_kind(config: Mapping[str, Any], override: Mapping[str, Any]) -> bool:
    """Whether an override replaces the config. LocalRun and ProcessRun are one kind."""
    return "type" in override and _family(config) != _family(override)


def _family(config: Mapping[str, Any]) -> str:
    kind = kind_of(config)
    return _FAMILIES.get(kind, kind)


def of_layer(overrides: Mapping[str, Any] | None, layer: str) -> JsonDocument:
    """What one layer says of the run config."""
    config: JsonDocument = ((overrides or {}).get(layer) or {}).get("run_config") or {}
    return config


def with_labels(config: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, str]:
    """The same, and who said the labels."""
    return origins(config, overrides) | {LABELS: origin_of_labels(overrides)}


def origins(config: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, str]:
    """Who said each field of a run's config: code, flow, schedule or run. Variables are fields of their own, as env.NAME."""
    layers = dict.fromkeys(_fields(config), CODE)
    for layer in LAYERS:
        for name in _fields(of_layer(overrides, layer)):
            if name in layers:
                layers[name] = layer
    return layers


def origin_of_labels(overrides: Mapping[str, Any] | None) -> str:
    """Who said which labels a run has."""
    return next((layer for layer in reversed(LAYERS) if "labels" in ((overrides or {}).get(layer) or {})), CODE)


def defaulted_by_flow(overrides: Mapping[str, Any] | None) -> Collection[str]:
    """The parameters whose values are the flow's defaults."""
    names: list[str] = ((overrides or {}).get(FLOW) or {}).get("parameters") or []
    return names


def _fields(config: Mapping[str, Any]) -> list[str]:
    given = said(config)
    names = [name for name in given if name not in ("env", "labels")]
    return names + [f"env.{name}" for name in given.get("env") or {}]
