"""The answer to every refused request."""

from __future__ import annotations

from typing import Any

from appliance.protocol.message import Answer


class ErrorAnswer(Answer, kw_only=True):
    """The answer to every refused request. `code` is stable and meant for programs; `message` is one sentence for people."""

    code: str
    message: str
    request_id: str = ""
    details: dict[str, Any] = {}
