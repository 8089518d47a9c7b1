"""Messages about schedules and their policies for missed due times and overlapping runs."""

from __future__ import annotations

from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol.message import Message


class PolicyFields(Message, kw_only=True):
    """`catch_up` is all, latest or none; `overlap` is allow, queue, skip or cancel. The window is in seconds; 0 removes it."""

    catch_up: str | None = None
    catch_up_cap: int | None = None
    catch_up_window: float | None = None
    overlap: str | None = None


class CreateSchedule(PolicyFields, kw_only=True):
    document: JsonDocument
    parameters: Parameters = {}


class EditSchedule(PolicyFields, kw_only=True):
    active: bool | None = None
    document: JsonDocument | None = None
    parameters: Parameters | None = None
