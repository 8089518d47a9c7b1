"""Rows of agents."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from appliance.kit.documents import JsonDocument
from appliance.server.db.rows.row_type import RowType


class AgentRow(RowType):
    """A whole agent."""

    id: UUID
    name: str
    type: str
    labels: list[str]
    projects: list[str] | None
    capacity: int
    version: str
    host: str
    roots: list[str] | None
    closed: list[str] | None
    env_names: list[str] | None
    storages: list[str] | None
    problems: list[str] | None
    results_url: str | None
    results_id: str | None
    results_key_id: str | None
    provided: JsonDocument | None
    revision: int | None
    state: str
    last_seen: datetime
    created: datetime


class Enrolment(RowType):
    """An agent that has enrolled."""

    id: UUID
    revision: int


class AgentHolding(RowType):
    """A live run and the agent that holds it."""

    agent_id: UUID
    id: UUID
    name: str
    project: str
    flow: str
    since: datetime


class NewAgent(TypedDict):
    """An agent to enrol."""

    id: UUID
    name: str
    type: str
    labels: list[str]
    projects: list[str] | None
    capacity: int
    version: str
    host: str
    roots: list[str] | None
    closed: list[str] | None
    env_names: list[str] | None
    storages: list[str] | None
    problems: list[str] | None
    results_url: str | None
    results_id: str | None
    results_key_id: str | None
    provided: JsonDocument | None
    revision: int | None
    state: str
    last_seen: datetime
    created: datetime
