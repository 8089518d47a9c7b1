"""The types of rows say what the tables say: a column that a table has not, or has with another type, is no row's column."""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel

from appliance.server.db import rows
from appliance.server.db.rows.row_type import RowType
from appliance.server.db.tables.agents import Agent
from appliance.server.db.tables.artifacts import Artifact
from appliance.server.db.tables.automations import Automation, Delivery
from appliance.server.db.tables.bundles import Bundle
from appliance.server.db.tables.concurrency import ConcurrencyLimit, TaskSlot
from appliance.server.db.tables.events import Event
from appliance.server.db.tables.flow_runs import FlowRun
from appliance.server.db.tables.flows import Flow, FlowVersion
from appliance.server.db.tables.jobs import Job
from appliance.server.db.tables.kept_results import KeptResult
from appliance.server.db.tables.known_failures import KnownFailure
from appliance.server.db.tables.leases import Lease
from appliance.server.db.tables.logs import Log
from appliance.server.db.tables.projects import Project
from appliance.server.db.tables.request_keys import RequestKey
from appliance.server.db.tables.rollups import RunRollup
from appliance.server.db.tables.saved_views import SavedView
from appliance.server.db.tables.schedule_skips import ScheduleSkip
from appliance.server.db.tables.schedules import Schedule
from appliance.server.db.tables.secrets import Secret
from appliance.server.db.tables.states import FlowRunState, TaskRunState
from appliance.server.db.tables.task_runs import TaskRun
from appliance.server.db.tables.tokens import ApiToken
from appliance.server.db.tables.usage import ProjectUsage
from appliance.server.db.tables.users import Session, User

WHOLE: dict[str, type[SQLModel]] = {
    "AgentRow": Agent,
    "NewAgent": Agent,
    "LimitRow": ConcurrencyLimit,
    "NewLimit": ConcurrencyLimit,
    "EventRow": Event,
    "FlowRow": Flow,
    "FlowVersionRow": FlowVersion,
    "JobRow": Job,
    "NewJob": Job,
    "LeaseRow": Lease,
    "LogRow": Log,
    "ProjectRow": Project,
    "NewRollup": RunRollup,
    "ScheduleRow": Schedule,
    "SkipRow": ScheduleSkip,
    "StateRow": FlowRunState,
    "NewState": FlowRunState,
    "NewTaskState": TaskRunState,
    "TaskRunRow": TaskRun,
    "NewTaskRun": TaskRun,
    "NewSecret": Secret,
    "NewBundle": Bundle,
    "NewResult": KeptResult,
    "NewArtifact": Artifact,
    "UserRow": User,
    "NewSession": Session,
    "SavedViewRow": SavedView,
    "AutomationRow": Automation,
    "DeliveryRow": Delivery,
    "NewDelivery": Delivery,
}
"""Rows of all columns of their table."""

PARTS: dict[str, tuple[type[SQLModel], ...]] = {
    "LockedRun": (FlowRun,),
    "ClaimedRun": (FlowRun,),
    "HeldRun": (FlowRun,),
    "LateRun": (FlowRun,),
    "RunEnd": (FlowRun,),
    "RunToken": (FlowRun,),
    "LiveRun": (FlowRun,),
    "StripRun": (FlowRun,),
    "PastRunRow": (FlowRun, FlowVersion),
    "ScheduleSummary": (Schedule,),
    "RunSummary": (FlowRun,),
    "FlowRunRow": (FlowRun,),
    "NewFlowRun": (FlowRun,),
    "TaskSpanRow": (TaskRun,),
    "FlowRunColumns": (FlowRun,),
    "AttemptState": (FlowRun,),
    "RunUsageRow": (FlowRun,),
    "UsedRun": (FlowRun,),
    "RunnableVersion": (FlowVersion,),
    "Stored": (ProjectUsage,),
    "TagLimit": (ConcurrencyLimit,),
    "TaskStateRow": (TaskRunState,),
    "StoredTaskRun": (TaskRun,),
    "EarlierTaskRun": (TaskRun,),
    "EndedTaskRun": (TaskRun,),
    "FailedTaskRun": (TaskRun,),
    "PausedTaskRun": (TaskRun,),
    "TaskRunResult": (TaskRun,),
    "GivenResult": (TaskRun,),
    "TaskRunColumns": (TaskRun,),
    "ClearedColumns": (TaskRun,),
    "JobColumns": (Job,),
    "NewSkip": (ScheduleSkip,),
    "LeftOut": (ScheduleSkip,),
    "NewLog": (Log,),
    "NewEvent": (Event,),
    "NewToken": (ApiToken,),
    "HourSum": (RunRollup,),
    "SessionRow": (Session, User),
    "TokenRow": (ApiToken, User),
    "RunEvent": (Event, FlowRun),
    "SlotHolder": (TaskSlot, FlowRun),
    "TaskHolder": (TaskSlot, FlowRun),
    "SealedSecret": (Secret,),
    "NewRequestKey": (RequestKey,),
    "Remembered": (RequestKey,),
    "BundleBytes": (Bundle,),
    "BundleUse": (Bundle,),
    "BundleSize": (Bundle,),
    "Facts": (KeptResult,),
    "Content": (KeptResult,),
    "ArtifactFacts": (Artifact,),
    "ArtifactContent": (Artifact,),
    "ArtifactValues": (Artifact,),
    "RunStart": (FlowRun, FlowVersion),
    "Reader": (FlowRun, Flow),
    "MarkedColumns": (KnownFailure,),
    "NewKnownFailure": (KnownFailure,),
    "RemovedFailure": (KnownFailure,),
    "ViewColumns": (SavedView,),
    "AutomationColumns": (Automation,),
    "NewAutomation": (Automation,),
    "DeliveryColumns": (Delivery,),
}
"""Rows of some columns of one table, or of a few."""

LABELLED = {
    "AgentHolding",
    "AttemptRun",
    "RunnableFlow",
    "VersionSummary",
    "VersionWork",
    "AttemptToken",
    "TaskRunUpdate",
    "PlanUpdate",
    "StateNews",
    "MoreNews",
    "FoundRow",
    "SecretRow",
    "SecretUse",
    "SecretReader",
    "BundleRow",
    "BundleFlow",
    "KeptResultRow",
    "ArtifactRow",
    "LatestArtifact",
    "KnownFailureRow",
    "DueDelivery",
    "DeliveryCounts",
    "EventSubject",
    "TaskGroupRow",
    "ChildRow",
    "Starter",
}
"""Rows whose names are labels or parameters of their statements."""
NARROWED = {"TimedTaskRun", "RunningRun", "Enrolment"}
"""Rows that a condition has narrowed down."""
OUTER = {("RunEvent", "flow_id"), ("RunEvent", "scheduled_time"), ("RunEvent", "created")}
"""What a join leaves empty."""
COMPUTED = {("LockedRun", "has_known_failures")}
"""What a statement computes."""


def row_types() -> Iterator[tuple[str, type]]:
    for module in pkgutil.iter_modules(rows.__path__):
        loaded = importlib.import_module(f"{rows.__name__}.{module.name}")
        for name, value in vars(loaded).items():
            own = isinstance(value, type) and value.__module__ == loaded.__name__
            if own and (is_typeddict(value) or (issubclass(value, RowType) and value is not RowType)):
                yield name, value


ROW_TYPES = dict(row_types())


def kinds_of(name: str, hint: Any) -> set[Any]:
    """A type as the set of what it may be: literals as what they consist of, generics by their origin. Expressions of SQL, which may
    be written in place of values, and the missing ids of objects that are not stored yet, count for nothing."""
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return set().union(*(kinds_of(name, part) for part in get_args(hint)))
    if origin is typing.NotRequired:
        return kinds_of(name, get_args(hint)[0])
    if origin is typing.Literal:
        return {type(value) for value in get_args(hint)}
    kind = {Mapping: dict}.get(origin or hint, origin or hint)
    return set() if kind is ColumnElement or (name == "id" and kind is type(None)) else {kind}


def misfits(row_type: type, *tables: type[SQLModel]) -> list[str]:
    """The columns of a type of rows that none of the tables has, or has with this type."""
    stored = [{name: kinds_of(name, hint) for name, hint in get_type_hints(table).items()} for table in tables]
    return [
        name
        for name, hint in get_type_hints(row_type).items()
        if (row_type.__name__, name) not in COMPUTED
        and kinds_of(name, hint) - without_none(row_type, name) not in [columns.get(name) for columns in stored]
    ]


def without_none(row_type: type, name: str) -> set[Any]:
    return {type(None)} if (row_type.__name__, name) in OUTER else set()


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_whole_row_has_the_columns_of_its_table(name: str) -> None:
    kind, table = ROW_TYPES[name], WHOLE[name]
    assert misfits(kind, table) == []
    assert set(get_type_hints(kind)) == set(table.model_fields)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_of_a_row_has_columns_of_its_tables(name: str) -> None:
    assert misfits(ROW_TYPES[name], *PARTS[name]) == []


def test_every_type_of_rows_is_compared() -> None:
    assert set(ROW_TYPES) == {*WHOLE, *PARTS, *LABELLED, *NARROWED}


def test_it_can_tell() -> None:
    class Misspelt(RowType):
        lease_expires_on: int

    class WrongType(RowType):
        attempt: str

    class NeverEmpty(RowType):
        agent_id: UUID

    assert misfits(Misspelt, FlowRun) == ["lease_expires_on"]
    assert misfits(WrongType, FlowRun) == ["attempt"]
    assert misfits(NeverEmpty, FlowRun) == ["agent_id"]
