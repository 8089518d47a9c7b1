"""The answer to every refused request."""

from __future__ import annotations

from typing import Any

from appliance.protocol.message import Answer


class ErrorAnswer(Answer, kw_only=True):
    """Every refused request answers this. `code` is stable, for programs; `message` is one sentence, for people."""

    code: str
    message: str
    request_id: str = ""
    details: dict[str, Any] = {}
