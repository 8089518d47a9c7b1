"""Rows of idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from appliance.server.db.rows.row_type import RowType


class NewRequestKey(TypedDict):
    """A key to store, before its request is carried out."""

    id: str
    caller: str
    verb: str
    fingerprint: str
    answer: str
    at: datetime


class Remembered(RowType):
    """What a key stands for, and the answer that its request got."""

    fingerprint: str
    answer: str
