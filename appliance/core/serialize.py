"""The metadata of a flow as a JSON document: all that the server ever learns about its code. The same flow gives the same bytes."""

from __future__ import annotations

import platform
from typing import Any

from appliance.core import parameter_types
from appliance.core.flow import Flow
from appliance.core.run_config import UniversalRun
from appliance.core.secrets import declared_by
from appliance.core.task import Task
from appliance.kit.version import VERSION
from appliance.schedules.clocks import Clock


def serialize(flow: Flow) -> dict[str, Any]:
    """Tasks, edges, parameters with JSON schema, schedules and run config. Raises FlowBuildError for a graph that can't run."""
    flow.validate()
    slugs = flow.slugs
    return {
        "name": flow.name,
        "tasks": [_task(flow, task) for task in flow.tasks],
        "edges": [
            {
                "upstream": slugs[edge.upstream_task],
                "downstream": slugs[edge.downstream_task],
                "key": edge.key,
                "mapped": edge.mapped,
                "flattened": edge.flattened,
            }
            for edge in flow.edges
        ],
        "parameters": [
            {
                "name": parameter.name,
                "required": parameter.required,
                "default": parameter_types.json_default(flow, parameter),
                "schema": parameter_types.schema(flow, parameter),
            }
            for parameter in flow.parameters()
        ],
        "reference_tasks": [slugs[task] for task in flow.reference_tasks()],
        "schedules": [_clock(flow, clock) for clock in flow.schedule.clocks] if flow.schedule is not None else [],
        "run_config": _run_config(flow),
        "sdk_version": VERSION,
        "python_version": platform.python_version(),
    } | _said(flow)


def _said(flow: Flow) -> dict[str, Any]:
    """What only some flows say: the names of the secrets that runs may read from the server, and who owns the flow."""
    said = {"secrets": list(declared_by(flow)), "owner": flow.owner}
    return {name: value for name, value in said.items() if value}


def _run_config(flow: Flow) -> dict[str, Any]:
    document = (flow.run_config or UniversalRun()).to_document()
    return document if flow.run_timeout is None else document | {"run_timeout": flow.run_timeout}


def _clock(flow: Flow, clock: Clock) -> dict[str, Any]:
    return clock.to_document() | {"parameters": parameter_types.json_values(flow, clock.parameters)}


def _task(flow: Flow, task: Task) -> dict[str, Any]:
    return {
        "slug": flow.slugs[task],
        "name": task.name,
        "type": type(task).__name__,
        "tags": sorted(task.tags),
        "max_retries": task.max_retries,
        "retry_delay": None if task.retry_delay is None else task.retry_wait(1, draw=lambda: 0.5).total_seconds(),
        "timeout": task.timeout,
        "trigger": getattr(task.trigger, "__name__", type(task.trigger).__name__),
        "mapped": any(edge.mapped for edge in flow.edges_to(task)),
        "auto_generated": task.auto_generated,
        "skip_on_upstream_skip": task.skip_on_upstream_skip,
    } | _options(task)


def _options(task: Task) -> dict[str, Any]:
    """Options that only some tasks have; `retry_delays` is present when the delays differ (seconds, the first ten). What runs in every attempt is
    known by its type if it comes with the SDK."""
    is_own = type(task).__module__.startswith("appliance.core.")
    tries = range(1, min(task.max_retries, 10) + 1)
    delays = [task.retry_wait(count, draw=lambda: 0.5).total_seconds() for count in tries]
    options = {
        "retry_delays": delays if len(set(delays)) > 1 else None,
        "retry_jitter": task.retry_jitter or None,
        "cache_for": None if task.cache_for is None else task.cache_for.total_seconds(),
        "cache_key": task.cache_key,
        "target": task.target if isinstance(task.target, str) else None,
        "nout": task.nout,
        "task_run_name": task.task_run_name if isinstance(task.task_run_name, str) else None,
        "never_repeat": task.never_repeat or None,
        "starts": task.starts,
        "always_rerun": (task.always_rerun and not is_own) or None,
        "runs_on_cancel": (task.runs_on_cancel and not is_own) or None,
    }
    return {key: value for key, value in options.items() if value is not None}
