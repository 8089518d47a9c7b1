"""Messages about secrets. No answer but the one to a run has a value in it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from appliance.protocol.message import Answer, Message

MOST_DECLARED = 100
"""How many secrets a flow may declare."""


class PutSecret(Message, kw_only=True):
    """Set a secret of a project. One of the same name gets the new value."""

    project: str
    name: str
    secret_value: str = msgspec.field(name="value")  # of an idempotency key's request, only a slow hash of it is kept
    idempotency_key: str | None = None

    def __repr__(self) -> str:
        return f"PutSecret(project={self.project!r}, name={self.name!r})"


class SecretUser(Answer, kw_only=True):
    """A flow that may read a secret."""

    id: UUID
    name: str


class SecretView(Answer, kw_only=True):
    """A secret without its value. `version` counts the values that it has had. `used_by` are the flows whose newest version declares it,
    by name, at most 20; `users` is how many there are."""

    id: UUID
    project: str
    name: str
    version: int
    created: datetime
    created_by: str
    updated: datetime
    updated_by: str
    used_by: list[SecretUser] = []
    users: int = 0


class AskSecret(Message, kw_only=True):
    """An attempt of a run asks for a secret that its flow declares."""

    attempt: int
    name: str


class SecretValue(Answer, kw_only=True):
    """What a run gets; a person never does."""

    value: str

    def __repr__(self) -> str:
        return "SecretValue(...)"
