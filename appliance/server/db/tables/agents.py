"""An agent: a process elsewhere that claims runs and starts them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from appliance.protocol.agents import Provided
from appliance.server.db.tables.columns import Id, Json, LongText, OneOf, Texts, Time, Whole


class Agent(SQLModel, table=True):
    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("name"),)

    id: UUID = Field(sa_type=Id, primary_key=True)
    name: str = Field(max_length=200)
    type: str = Field(sa_type=OneOf("process", "docker", "kubernetes"))  # process, docker, kubernetes
    labels: list[str] = Field(default_factory=list, sa_type=Texts)
    projects: list[str] | None = Field(
        default=None, sa_type=Texts
    )  # names of those whose runs it takes; empty or null: all
    capacity: int = Field(default=8, sa_type=Whole)
    version: str = Field(default="", max_length=50)
    host: str = Field(default="", max_length=255)
    roots: list[str] | None = Field(default=None, sa_type=Texts)  # the folders from which it takes code
    closed: list[str] | None = Field(default=None, sa_type=Texts)  # folders in them from which it takes none
    env_names: list[str] | None = Field(default=None, sa_type=Texts)  # variables that registrations may set
    storages: list[str] | None = Field(
        default=None, sa_type=Texts
    )  # those from which it takes code; null: it is of an earlier release
    problems: list[str] | None = Field(default=None, sa_type=Texts)  # what it found wrong when it started
    results_url: str | None = Field(default=None, sa_type=LongText)  # where its runs store results by default
    results_id: str | None = Field(default=None, max_length=100)  # the same for agents that share that folder
    results_key_id: str | None = Field(
        default=None, max_length=32
    )  # the same for agents that can read each other's sealed ones
    provided: dict[str, Any] | None = Field(
        default=None, sa_type=Json(dict[str, Any], Provided)
    )  # what it can give runs that ask for it; null: it doesn't say
    revision: int | None = Field(default=None, sa_type=Whole)  # how often it has enrolled, signed off or been forgotten
    state: str = Field(default="online", max_length=20)  # see domain.agent_states
    last_seen: datetime = Field(sa_type=Time)
    created: datetime = Field(sa_type=Time)
