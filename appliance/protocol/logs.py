"""Log lines and their levels."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from appliance.protocol.message import Answer

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class LogView(Answer, kw_only=True):
    id: int
    at: datetime
    level: Level
    logger: str
    message: str
    task_slug: str | None = None
    map_index: int = -1


MAX_MESSAGE = 64 * 1024
"""Maximum length of a log or state message in characters. The client cuts longer ones and says so at the end of the text."""
