"""Messages about bundles: archives of code that the server keeps for agents, and never opens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from appliance.protocol.message import Answer, Message

MOST_BYTES = 40 * 1024**2
"""No server takes a larger bundle, since an answer with it would be longer than clients read."""


class AskBundle(Message, kw_only=True):
    """Ask whether the server keeps code, and whether it has this bundle of a project already."""

    project: str
    digest: str = ""


class BundleOffer(Answer, kw_only=True):
    """`enabled`: whether it keeps code at all. `stored`: whether it has the bundle; one that no version names yet stays for at
    least half an hour from now."""

    enabled: bool
    stored: bool = False
    most_bytes: int = 0


class PutBundle(Message, kw_only=True):
    """Store a bundle of a project. `digest` identifies what is in it, `sha256` is the hash of the bytes themselves."""

    project: str
    digest: str
    sha256: str
    sealed: bool = False
    key_id: str = ""  # which key has sealed them
    content: bytes = msgspec.field()  # in JSON, base64

    def __repr__(self) -> str:
        return f"PutBundle(project={self.project!r}, digest={self.digest!r})"


class BundleView(Answer, kw_only=True):
    """A bundle without its bytes, of which it has `size`. `versions` is how many versions of flows name it."""

    id: UUID
    project: str
    digest: str
    size: int
    sealed: bool
    created: datetime
    created_by: str
    used: datetime
    versions: int = 0
    key_id: str | None = None  # which key has sealed it; null: it is not sealed, or nobody said


class TakeBundle(Message, kw_only=True):
    """An attempt of a run, or its agent, asks for the bundle with its code."""

    attempt: int


class BundleContent(Answer, kw_only=True):
    """The bytes of a bundle, with their hash."""

    sha256: str
    content: bytes

    def __repr__(self) -> str:
        return f"BundleContent(sha256={self.sha256!r})"
