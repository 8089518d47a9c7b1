"""Who acts: the description of the caller that the API creates and every action receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from appliance.protocol.users import Role


@dataclass(frozen=True, slots=True)
class Binding:
    """The agent that an agent's token is for: `name` is None until the first one has enrolled with it. No `projects` are all."""

    token_id: UUID
    name: str | None
    labels: tuple[str, ...]
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or script (user), an agent, one attempt of a run, or one of the server's own services.

    `name` is what histories record: the user's name, the token's name for an agent, or the run's id for a run. `key` is the
    idempotency key of the request, if it has one. `must_change_password` limits a browser session to that. Without a `binding`, an actor
    may speak for every agent. `chain`: how many automations in a row have led to what the actor does; runs that it starts or restarts remember it.
    """

    kind: Literal["user", "agent", "run", "service"]
    name: str
    role: Role | None = None
    user_id: UUID | None = None
    agent_id: UUID | None = None
    flow_run_id: UUID | None = None
    attempt: int | None = None
    key: str | None = None
    must_change_password: bool = False
    binding: Binding | None = None
    chain: int = 0


SYSTEM = Actor(kind="service", name="appliance")


@dataclass(frozen=True, slots=True)
class Credential:
    """How an actor proved who they are. Only a session needs the CSRF header, because browsers send cookies automatically."""

    kind: Literal["session", "token", "run"]
    id: UUID
    csrf_token: str = ""

    @property
    def session_id(self) -> UUID | None:
        """The browser session, if it is one."""
        return self.id if self.kind == "session" else None
