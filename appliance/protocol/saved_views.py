"""Messages about saved views: queries for runs that a user has given a name."""

from __future__ import annotations

from uuid import UUID

from appliance.protocol.message import Answer, Message
from appliance.protocol.run_filter import ListOrder


class SaveView(Message, kw_only=True):
    """Save a view, in place of the one with this name if there is one, in any case. Without a `sort`, its order is the usual one, and without
    `columns` the chosen ones of the user are shown. The `default` is what the page of runs opens with; null leaves that as it is."""

    name: str
    q: str = ""
    sort: ListOrder | None = None
    columns: list[str] = []
    default: bool | None = None
    idempotency_key: str | None = None


class EditView(Message, kw_only=True):
    """Rename a view, or make it the default, or not. What is missing stays as it is."""

    name: str | None = None
    default: bool | None = None
    idempotency_key: str | None = None


class SavedViewView(Answer, kw_only=True):
    """A view that a user has saved. Only this user sees it."""

    id: UUID
    name: str
    q: str
    sort: ListOrder | None = None
    columns: list[str] = []
    default: bool = False
