"""Appliance: write a flow, run it, register it. This is the SDK's front door; it stays light to import."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from appliance.core import signals, states, triggers
from appliance.core.annotations import flatten, mapped, unmapped
from appliance.core.building import tags
from appliance.core.context import context
from appliance.core.control import case, ifelse, merge, switch
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import DateTimeParameter, Parameter
from appliance.core.run_config import LocalRun, UniversalRun
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
from appliance.kit.version import VERSION as __version__
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

if TYPE_CHECKING:
    from appliance.core.apply_map import apply_map
    from appliance.core.cache_validators import (
        all_inputs,
        all_parameters,
        duration_only,
        never_use,
        partial_inputs_only,
        partial_parameters_only,
    )
    from appliance.core.control import FilterTask
    from appliance.core.fingerprints import fingerprint
    from appliance.core.flow_decorator import flow
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
    from appliance.core.secrets import EnvVarSecret, Secret, SecretTask
    from appliance.engine import executors
    from appliance.engine.executors import DaskExecutor, LocalExecutor, ProcessExecutor, ThreadExecutor
    from appliance.engine.results.addresses import result_from_url
    from appliance.engine.results.local import LocalResult
    from appliance.engine.results.memory import MemoryResult
    from appliance.engine.results.object_stores import AzureResult, GCSResult, S3Result
    from appliance.engine.results.sftp import SFTPResult

__all__ = [
    "AzureResult",
    "Blackout",
    "Calendar",
    "CompressedSerializer",
    "CronClock",
    "CronSchedule",
    "DaskExecutor",
    "DateTimeParameter",
    "DatesClock",
    "DatesSchedule",
    "EnvVarSecret",
    "FilterTask",
    "Flow",
    "GCSResult",
    "IntervalClock",
    "IntervalSchedule",
    "JSONSerializer",
    "LocalExecutor",
    "LocalResult",
    "LocalRun",
    "MemoryResult",
    "PandasSerializer",
    "Parameter",
    "PickleSerializer",
    "ProcessExecutor",
    "RRuleClock",
    "RRuleSchedule",
    "ResourceManager",
    "Result",
    "S3Result",
    "SFTPResult",
    "Schedule",
    "Secret",
    "SecretTask",
    "Serializer",
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
    "duration_only",
    "executors",
    "exponential_backoff",
    "filters",
    "fingerprint",
    "flatten",
    "flow",
    "get_logger",
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
    "signals",
    "some_failed",
    "some_successful",
    "states",
    "switch",
    "tags",
    "task",
    "triggers",
    "unmapped",
]


# Loaded only by those who name one or run a flow, so that importing the SDK stays cheap.
_LAZY = {
    "apply_map": "appliance.core.apply_map",
    "FilterTask": "appliance.core.control",
    "ResourceManager": "appliance.core.resources",
    "resource_manager": "appliance.core.resources",
    "exponential_backoff": "appliance.core.retries",
    "all_inputs": "appliance.core.cache_validators",
    "all_parameters": "appliance.core.cache_validators",
    "duration_only": "appliance.core.cache_validators",
    "never_use": "appliance.core.cache_validators",
    "partial_inputs_only": "appliance.core.cache_validators",
    "partial_parameters_only": "appliance.core.cache_validators",
    "fingerprint": "appliance.core.fingerprints",
    "flow": "appliance.core.flow_decorator",
    "Result": "appliance.core.results",
    "EnvVarSecret": "appliance.core.secrets",
    "Secret": "appliance.core.secrets",
    "SecretTask": "appliance.core.secrets",
    "CompressedSerializer": "appliance.core.result_serializers",
    "JSONSerializer": "appliance.core.result_serializers",
    "PandasSerializer": "appliance.core.result_serializers",
    "PickleSerializer": "appliance.core.result_serializers",
    "Serializer": "appliance.core.result_serializers",
    "result_from_url": "appliance.engine.results.addresses",
    "LocalResult": "appliance.engine.results.local",
    "MemoryResult": "appliance.engine.results.memory",
    "AzureResult": "appliance.engine.results.object_stores",
    "GCSResult": "appliance.engine.results.object_stores",
    "S3Result": "appliance.engine.results.object_stores",
    "SFTPResult": "appliance.engine.results.sftp",
    "executors": "appliance.executors",
    "DaskExecutor": "appliance.engine.executors.dask",
    "LocalExecutor": "appliance.engine.executors.local",
    "ProcessExecutor": "appliance.engine.executors.processes",
    "ThreadExecutor": "appliance.engine.executors.threads",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'appliance' has no attribute {name!r}")
    module = importlib.import_module(_LAZY[name])
    return module if name == "executors" else getattr(module, name)
