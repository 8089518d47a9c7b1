"""Keyset pages: where a page ended, as an opaque text, and back. Clients hand it back to go on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from appliance.kit import clock
from appliance.server.errors import Invalid

DEFAULT = 50
MAX = 200

T = TypeVar("T")


@dataclass(frozen=True)
class RowPage(Generic[T]):
    """The rows of one page, and the cursor of the next; None at the end."""

    rows: Sequence[T]
    next: str | None = None


def size(asked: int | None) -> int:
    """How many rows to give: the default when nothing was asked, never more than the maximum."""
    if asked is None:
        return DEFAULT
    if not 1 <= asked <= MAX:
        raise Invalid(f"A page has between 1 and {MAX} items, not {asked}.")
    return asked


def encode(*key: str | int | datetime | UUID) -> str:
    """The cursor of a row with this key."""
    text = "|".join(clock.isoformat(part) if isinstance(part, datetime) else str(part) for part in key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def time_and_id(cursor: str) -> tuple[datetime, UUID]:
    """The key of a list that is ordered by time and id."""
    try:
        time, _, id_text = _decode(cursor).partition("|")
        return clock.parse(time), UUID(id_text)
    except ValueError as error:
        raise unusable() from error


def only_id(cursor: str) -> UUID:
    """The key of a list that is ordered by id alone."""
    try:
        return UUID(_decode(cursor))
    except ValueError as error:
        raise unusable() from error


def number(cursor: str) -> int:
    """The key of a list that is ordered by a growing number."""
    try:
        value = int(_decode(cursor))
    except ValueError as error:
        raise unusable() from error
    if not 0 <= value < 2**63:
        raise unusable()
    return value


def text_key(cursor: str, parts: int) -> list[str]:
    """The key of a list that is ordered by texts; the last part may itself hold the separator."""
    found = _decode(cursor).split("|", parts - 1)
    if len(found) != parts:
        raise unusable()
    return found


def like(text: str) -> str:
    """A LIKE pattern, with backslash as escape, for texts that contain `text` as it stands."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _decode(cursor: str) -> str:
    if len(cursor) > 2000:
        raise unusable()
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise unusable() from error


def unusable() -> Invalid:
    """What a cursor that is none of ours is answered with."""
    return Invalid("This page cursor can't be used here; ask for the first page again.")
