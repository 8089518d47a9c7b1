"""Appliance: write a flow, run it, register it. This is the SDK's front door; it stays light to import."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from appliance.kit.version import VERSION as __version__

if TYPE_CHECKING:
    from appliance.core import signals, states, triggers
    from appliance.core.annotations import flatten, mapped, unmapped
    from appliance.core.apply_map import apply_map
    from appliance.core.building import tags
    from appliance.core.cache_validators import (
        all_inputs,
        all_parameters,
        duration_only,
        never_use,
        partial_inputs_only,
        partial_parameters_only,
    )
    from appliance.core.child_flows import ChildRun, RunFlow, run_flow
    from appliance.core.child_run_tasks import (
        StartFlowRun,
        create_flow_run,
        get_task_run_result,
        wait_for_flow_run,
    )
    from appliance.core.container_runs import DockerRun, KubernetesRun
    from appliance.core.context import context
    from appliance.core.control import FilterTask, case, ifelse, merge, switch
    from appliance.core.fingerprints import fingerprint
    from appliance.core.flow import Flow
    from appliance.core.flow_decorator import flow
    from appliance.core.logs import get_logger
    from appliance.core.parameter import DateTimeParameter, Parameter
    from appliance.core.resources import ResourceManager, resource_manager
    from appliance.core.result_serializers import (
        CompressedSerializer,
        JSONSerializer,
        PandasSerializer,
        PickleSerializer,
        Serializer,
    )
    from appliance.core.results import Result
    from appliance.core.retries import exponential_backoff
    from appliance.core.run_config import LocalRun, ProcessRun, UniversalRun
    from appliance.core.secrets import EnvVarSecret, Secret, SecretTask
    from appliance.core.task import Task
    from appliance.core.task_decorator import task
    from appliance.core.triggers import (
        all_failed,
        all_finished,
        all_successful,
        always_run,
        any_failed,
        any_successful,
        manual_only,
        not_all_skipped,
        some_failed,
        some_successful,
    )
    from appliance.engine import executors
    from appliance.engine.executors import DaskExecutor, LocalExecutor, ProcessExecutor, ThreadExecutor
    from appliance.engine.results.addresses import result_from_url
    from appliance.engine.results.appliance import ApplianceResult
    from appliance.engine.results.local import LocalResult
    from appliance.engine.results.memory import MemoryResult
    from appliance.engine.results.object_stores import AzureResult, GCSResult, S3Result
    from appliance.engine.results.sftp import SFTPResult
    from appliance.schedules import (
        Blackout,
        Calendar,
        CronClock,
        CronSchedule,
        DatesClock,
        DatesSchedule,
        IntervalClock,
        IntervalSchedule,
        RRuleClock,
        RRuleSchedule,
        Schedule,
        adjustments,
        filters,
    )

__all__ = [
    "ApplianceResult",
    "AzureResult",
    "Blackout",
    "Calendar",
    "ChildRun",
    "CompressedSerializer",
    "CronClock",
    "CronSchedule",
    "DaskExecutor",
    "DateTimeParameter",
    "DatesClock",
    "DatesSchedule",
    "DockerRun",
    "EnvVarSecret",
    "FilterTask",
    "Flow",
    "GCSResult",
    "IntervalClock",
    "IntervalSchedule",
    "JSONSerializer",
    "KubernetesRun",
    "LocalExecutor",
    "LocalResult",
    "LocalRun",
    "MemoryResult",
    "PandasSerializer",
    "Parameter",
    "PickleSerializer",
    "ProcessExecutor",
    "ProcessRun",
    "RRuleClock",
    "RRuleSchedule",
    "ResourceManager",
    "Result",
    "RunFlow",
    "S3Result",
    "SFTPResult",
    "Schedule",
    "Secret",
    "SecretTask",
    "Serializer",
    "StartFlowRun",
    "Task",
    "ThreadExecutor",
    "UniversalRun",
    "__version__",
    "adjustments",
    "all_failed",
    "all_finished",
    "all_inputs",
    "all_parameters",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "apply_map",
    "case",
    "context",
    "create_flow_run",
    "duration_only",
    "executors",
    "exponential_backoff",
    "filters",
    "fingerprint",
    "flatten",
    "flow",
    "get_logger",
    "get_task_run_result",
    "ifelse",
    "manual_only",
    "mapped",
    "merge",
    "never_use",
    "not_all_skipped",
    "partial_inputs_only",
    "partial_parameters_only",
    "resource_manager",
    "result_from_url",
    "run_flow",
    "signals",
    "some_failed",
    "some_successful",
    "states",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
    "wait_for_flow_run",
]

_MODULES = {
    "adjustments": "appliance.schedules.adjustments",
    "filters": "appliance.schedules.filters",
    "signals": "appliance.core.signals",
    "states": "appliance.core.states",
    "triggers": "appliance.core.triggers",
    "executors": "appliance.executors",
}
_NAMES = {
    "appliance.core.annotations": "flatten mapped unmapped",
    "appliance.core.apply_map": "apply_map",
    "appliance.core.building": "tags",
    "appliance.core.cache_validators": "all_inputs all_parameters duration_only never_use partial_inputs_only partial_parameters_only",
    "appliance.core.child_flows": "ChildRun RunFlow run_flow",
    "appliance.core.child_run_tasks": "StartFlowRun create_flow_run get_task_run_result wait_for_flow_run",
    "appliance.core.container_runs": "DockerRun KubernetesRun",
    "appliance.core.context": "context",
    "appliance.core.control": "FilterTask case ifelse merge switch",
    "appliance.core.fingerprints": "fingerprint",
    "appliance.core.flow": "Flow",
    "appliance.core.flow_decorator": "flow",
    "appliance.core.logs": "get_logger",
    "appliance.core.parameter": "DateTimeParameter Parameter",
    "appliance.core.resources": "ResourceManager resource_manager",
    "appliance.core.result_serializers": "CompressedSerializer JSONSerializer PandasSerializer PickleSerializer Serializer",
    "appliance.core.results": "Result",
    "appliance.core.retries": "exponential_backoff",
    "appliance.core.run_config": "LocalRun ProcessRun UniversalRun",
    "appliance.core.secrets": "EnvVarSecret Secret SecretTask",
    "appliance.core.task": "Task",
    "appliance.core.task_decorator": "task",
    "appliance.core.triggers": "all_failed all_finished all_successful always_run any_failed any_successful manual_only not_all_skipped some_failed some_successful",
    "appliance.engine.executors.dask": "DaskExecutor",
    "appliance.engine.executors.local": "LocalExecutor",
    "appliance.engine.executors.processes": "ProcessExecutor",
    "appliance.engine.executors.threads": "ThreadExecutor",
    "appliance.engine.results.addresses": "result_from_url",
    "appliance.engine.results.appliance": "ApplianceResult",
    "appliance.engine.results.local": "LocalResult",
    "appliance.engine.results.memory": "MemoryResult",
    "appliance.engine.results.object_stores": "AzureResult GCSResult S3Result",
    "appliance.engine.results.sftp": "SFTPResult",
    "appliance.schedules": "Blackout Calendar CronClock CronSchedule DatesClock DatesSchedule IntervalClock IntervalSchedule RRuleClock RRuleSchedule Schedule",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
"""Loaded only by those who name one, so that commands and servers, which are in this package too, don't wait for the SDK."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        thing: Any = importlib.import_module(_MODULES[name])
    elif name in _HOMES:
        thing = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'appliance' has no attribute {name!r}")
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return [*globals(), *__all__]
