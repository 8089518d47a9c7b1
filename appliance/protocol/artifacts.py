"""Messages about artifacts: what runs make for people to look at, such as tables, images, and reports."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from appliance.protocol.message import Answer, FreeText, Message

MOST_BYTES = 40 * 1024**2
"""No server takes a larger artifact."""
Kind = Literal["markdown", "table", "link", "image", "progress", "plot", "html", "file"]
Retention = Literal["run", "latest", "forever"]


class MakeArtifact(Message, kw_only=True):
    """An attempt of a run makes an artifact, whose bytes have this hash. `slot` says which one of the run it is: the same slot again, as when a task is
    retried, replaces it. `number` grows with each request of the attempt; one that arrives after a later one changes nothing. An artifact with a `key` is
    the next version of it in the project. It is deleted with its `run`; or the `latest` version of its key stays; or it stays `forever`."""

    attempt: int
    number: int
    slot: str
    kind: Kind
    sha256: str
    content: bytes = b""  # in JSON, base64
    key: str | None = None
    title: FreeText = ""
    task_slug: str | None = None
    map_index: int = -1
    file_name: str | None = None
    progress: float | None = None
    retention: Retention = "run"

    def __repr__(self) -> str:
        return f"MakeArtifact(attempt={self.attempt}, kind={self.kind!r}, key={self.key!r})"


class ArtifactMade(Answer, kw_only=True):
    """The artifact, and which version of its key it is."""

    id: UUID
    version: int | None = None


class ArtifactView(Answer, kw_only=True):
    """An artifact without its bytes, of which it has `size`. One whose run was deleted has none. `flow` and `flow_run` are names."""

    id: UUID
    project: str
    flow_id: UUID
    flow: str
    flow_run_id: UUID | None
    flow_run: str | None
    task_slug: str | None
    map_index: int
    kind: str
    key: str | None
    version: int | None
    title: str
    media_type: str
    file_name: str | None
    size: int
    sha256: str
    progress: float | None
    retention: str
    created: datetime
    updated: datetime
