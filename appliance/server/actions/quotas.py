"""Holding quotas inside the transaction of an action that creates something."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.documents import JsonDocument
from appliance.server.db import usage
from appliance.server.db.reads import quotas as reads
from appliance.server.db.reads import usage as read_usage
from appliance.server.db.rows.flow_runs import NewFlowRun
from appliance.server.db.rows.logs import NewLog
from appliance.server.db.tables.flows import FlowVersion
from appliance.server.db.writes import usage as write_usage
from appliance.server.domain.quotas import (
    LINE,
    OPEN_RUNS,
    ROW,
    SECONDS,
    Allowance,
    Quota,
    Stored,
    allowance,
    full,
    is_roomy,
)
from appliance.server.domain.rules import Rules

_MOST_PROJECTS = 10_000
_MOST_FLOWS = 10_000
_projects: OrderedDict[UUID, UUID] = OrderedDict()
"""The projects of flows, which never change."""
_roomy: WeakKeyDictionary[object, dict[UUID, float]] = WeakKeyDictionary()
"""Until when a project need not be looked at again, by database: it is far from its quotas."""
_allowances: WeakKeyDictionary[object, dict[UUID, Allowance]] = WeakKeyDictionary()
"""What this process may create before it counts again, by database and project."""
_lock = threading.Lock()


def require_open_run(session: Session, project_id: UUID, most: int) -> None:
    """Raise QuotaReached if the project can't have one more run that has not ended."""
    if not take_open_runs(session, project_id, 1, most):
        raise OPEN_RUNS.reached(most)


def take_open_runs(session: Session, project_id: UUID, number: int, most: int) -> int:
    """How many of so many new runs the project may have, of which `most` have not ended. They are to be created in this transaction."""
    if not most:
        return number
    engine = session.get_bind().engine
    with _lock:
        known = _allowances.setdefault(engine, {})
        if project_id in known and known[project_id].take(number, clock.monotonic()):
            return number
    room = max(0, most - reads.open_runs(session, project_id, most))
    fitting = min(number, room)
    with _lock:
        if len(known) >= _MOST_PROJECTS:
            known.clear()
        known[project_id] = allowance(room - fitting, clock.monotonic())
    return fitting


class RunOfFlow(Protocol):
    """A run and its flow."""

    @property
    def id(self) -> UUID: ...

    @property
    def flow_id(self) -> UUID: ...


def reached(session: Session, project_id: UUID, rules: Rules) -> Quota | None:
    """The quota of rows or bytes that the project has reached. A project that is far from both is looked at every few seconds only."""
    known, moment = _roomy.setdefault(session.get_bind().engine, {}), clock.monotonic()
    if known.get(project_id, moment) > moment:
        return None
    sums = read_usage.stored(session, [project_id]).get(project_id)
    rows, size = (0, 0) if sums is None else (sums.stored_rows, sums.stored_bytes)
    if is_roomy(rows, size, rules):
        if len(known) >= _MOST_PROJECTS:
            known.clear()
        known[project_id] = moment + SECONDS
    return full(rows, size, rules)


def require_room(session: Session, project_id: UUID, rules: Rules) -> None:
    """Raise QuotaReached if the project has as many rows or bytes as it may."""
    quota = reached(session, project_id, rules)
    if quota is not None:
        raise quota.reached(most(quota, rules))


def require_room_for(session: Session, project_id: UUID, bytes: int, rules: Rules) -> None:
    """Raise QuotaReached unless the project has room for one more row with so many bytes, which may be many."""
    sums = read_usage.stored(session, [project_id]).get(project_id)
    rows, size = (0, 0) if sums is None else (sums.stored_rows, sums.stored_bytes)
    quota = full(rows, size + bytes - 1, rules)
    if quota is not None:
        raise quota.reached(most(quota, rules))


def most(quota: Quota, rules: Rules) -> int:
    """What the rules allow of it."""
    return int(getattr(rules, quota.rule))


def add(session: Session, run: RunOfFlow, stored: Stored) -> None:
    """Count what this transaction stores of a run."""
    project_id = project_of(session, run.flow_id)
    usage.add(session, project_id, run.id, stored.rows + stored.log_rows, stored.bytes + stored.log_bytes)


def add_states(session: Session, run: RunOfFlow, number: int) -> None:
    """Count states of task runs that no report has brought."""
    if number:
        write_usage.add_to_run(session, run.id, number, number * ROW)
        usage.add(session, project_of(session, run.flow_id), run.id, number, number * ROW)


def add_lines(session: Session, lines: Iterable[NewLog]) -> None:
    """Count log lines that no run has reported."""
    sums: dict[UUID, tuple[int, int]] = {}
    for line in lines:
        rows, size = sums.get(line["flow_run_id"], (0, 0))
        sums[line["flow_run_id"]] = rows + 1, size + LINE + len(line["message"].encode())
    for flow_run_id, (rows, size) in sorted(sums.items()):
        flow_id = write_usage.add_lines(session, flow_run_id, rows, size)
        if flow_id is not None:
            usage.add(session, project_of(session, flow_id), flow_run_id, rows, size)


def size_of_new(row: NewFlowRun) -> Stored:
    """What a new run takes with its first state."""
    documents = (row["parameters"], row["run_config"], *([row["overrides"]] if row["overrides"] else []))
    return Stored(2, 2 * ROW + sum(len(_encode(document)) for document in documents))


def add_new(session: Session, rows: Sequence[NewFlowRun]) -> None:
    """Count new runs."""
    for row in rows:
        usage.add(session, project_of(session, row["flow_id"]), rows[0]["id"], row["stored_rows"], row["stored_bytes"])


def size_of_version(document: JsonDocument) -> int:
    """How many bytes a version with this document takes."""
    return ROW + len(_encode(document))


def add_version(session: Session, project_id: UUID, version: FlowVersion) -> None:
    """Count a new version."""
    usage.add(session, project_id, version.id, 1, version.stored_bytes)


def project_of(session: Session, flow_id: UUID) -> UUID:
    """The project of a flow."""
    project_id = _projects.get(flow_id)
    if project_id is None:
        project_id = _projects[flow_id] = read_usage.projects_of(session, [flow_id])[flow_id]
        while len(_projects) > _MOST_FLOWS:
            _projects.popitem(last=False)
    return project_id


_encode = msgspec.json.Encoder().encode
