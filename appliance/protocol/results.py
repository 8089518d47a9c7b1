"""Messages about results that the appliance itself keeps for runs, as bytes that it never opens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from appliance.protocol.message import Answer, Message

MOST_BYTES = 40 * 1024**2
"""No server takes a larger result, since an answer with it would be longer than clients read."""
LONGEST_LOCATION = 1024
"""Bytes."""


class StoreResult(Message, kw_only=True):
    """An attempt of a run stores a result, whose bytes have this hash. The same bytes again change nothing; others are refused, unless they are
    to `replace` what is there. After `expires`, one that doesn't belong to a run is removed. `sealed`: the bytes can't be read without the site's key,
    which the server doesn't have."""

    attempt: int
    location: str
    sha256: str
    content: bytes  # in JSON, base64
    replace: bool = False
    expires: datetime | None = None
    sealed: bool = False
    key_id: str = ""  # which key has sealed them

    def __repr__(self) -> str:
        return f"StoreResult(attempt={self.attempt}, location={self.location!r})"


class AskResult(Message, kw_only=True):
    """An attempt of a run asks for a result of its project."""

    attempt: int
    location: str


class AskKeptResult(Message, kw_only=True):
    """A person asks for a result. The project may be left out where only one has a result of this location."""

    location: str
    project: str | None = None


class ResultFacts(Answer, kw_only=True):
    """Whether there is a result, the hash of its bytes, how many they are, and whether they are sealed."""

    exists: bool
    sha256: str = ""
    size: int = 0
    sealed: bool = False


class ResultContent(Answer, kw_only=True):
    """The bytes of a result, with their hash. Those of a `sealed` one are bound to its project and location."""

    sha256: str
    content: bytes
    sealed: bool = False
    project_id: UUID | None = None  # null: a server of an earlier release, which has none that are sealed

    def __repr__(self) -> str:
        return f"ResultContent(sha256={self.sha256!r})"


class KeptResultView(Answer, kw_only=True):
    """A result without its bytes, of which it has `size`. One without a run is shared by the runs of its project, such as a target. `flow_run` and
    `flow` are names."""

    id: UUID
    project: str
    flow_run_id: UUID | None
    location: str
    sha256: str
    size: int
    stored: datetime
    expires: datetime | None
    sealed: bool = False
    key_id: str | None = None  # which key has sealed it; null: it is not sealed, or nobody said
    flow_run: str | None = None
    flow_id: UUID | None = None
    flow: str | None = None
