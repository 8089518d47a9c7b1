"""The base classes of all messages between clients, agents, runs, and the server, and keyset pages.

Field names are snake_case on the wire, and times have a UTC offset. Clients encode and send requests; the server decodes them.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

FREE, NAME = "free", "name"
FreeText = Annotated[str, msgspec.Meta(extra={"text": FREE})]
"""What a program wrote, such as a line of a log. The server takes it however strange it is, and cleans it."""
FreeDocument = Annotated[dict[str, Any], msgspec.Meta(extra={"text": FREE})]
"""The same for a JSON object."""
NameText = Annotated[str, msgspec.Meta(extra={"text": NAME})]
"""A name that people see in the middle of other text. The server refuses control characters in it."""


class Message(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base class of requests. Unknown fields are refused, and defaults are not sent: an older server need not know them."""


class Answer(msgspec.Struct, kw_only=True):
    """The base class of answers. A newer server may add fields."""


class Page(Answer, kw_only=True):
    """A keyset page. To continue, pass `next` as `after`; it is None at the end."""

    items: list[Any]
    next: str | None = None
