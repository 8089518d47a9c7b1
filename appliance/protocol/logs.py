"""Log lines and their levels."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast, get_args
from uuid import UUID

from appliance.protocol.message import Answer, Page

Stream = Literal["stdout", "stderr"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class LogView(Answer, kw_only=True):
    id: int
    at: datetime
    level: Level
    logger: str
    message: str
    stream: Stream | None = None
    """Where code wrote the line; None if it was logged."""
    task_slug: str | None = None
    map_index: int = -1


class FoundLine(LogView, kw_only=True):
    """A line that a search in all runs has found. Of a long message, it has the part with a word of the search."""

    flow_run_id: UUID
    run_name: str
    flow: str
    project: str


class FoundLines(Page, kw_only=True):
    """A page of them, newest first. A page may be short, and even empty, before the end."""

    complete: bool = True
    """False while the server is still adding lines of before an upgrade to the index."""


INCOMPLETE = "Log lines from before the last upgrade are still being added to the index, so some may be missing."
"""What a person reads who searches meanwhile."""


MAX_MESSAGE = 64 * 1024
"""Maximum length of a log or state message in characters. The client cuts longer ones and says so at the end of the text."""


LOGGER = "appliance.run"
"""The logger of runs. Those of their tasks, and of what was written to a stream, are below it: `appliance.run.TASK.stderr`."""


def stream_of(logger: str) -> Stream | None:
    """The stream that a line was written to, by the name of its logger."""
    name = logger.rpartition(".")[2] if logger.startswith(f"{LOGGER}.") else ""
    return cast(Stream, name) if name in get_args(Stream) else None
