"""The base classes of all messages between clients, agents, runs, and the server, and keyset pages.

Field names are snake_case on the wire, and times have a UTC offset. Clients encode and send requests; the server decodes them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base class of requests. Unknown fields are refused, and defaults are not sent: an older server need not know them."""


class Answer(msgspec.Struct, kw_only=True):
    """The base class of answers. A newer server may add fields."""


class Page(Answer, kw_only=True):
    """A keyset page. To continue, pass `next` as `after`; it is None at the end."""

    items: list[Any]
    next: str | None = None
