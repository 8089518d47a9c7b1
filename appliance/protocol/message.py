"""The roots of all messages between clients, agents, runs and the server, and keyset pages.

Field names are snake_case on the wire. Times are aware. See DESIGN section 4; clients encode and send requests, the server decodes them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The root of requests: an unknown field is refused."""


class Answer(msgspec.Struct, kw_only=True):
    """The root of answers: a newer server may add fields."""


class Page(Answer, kw_only=True):
    """A keyset page: pass `next` back as `after` to go on; None at the end."""

    items: list[Any]
    next: str | None = None
