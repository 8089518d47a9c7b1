"""Tokens of runs on disk, readable only with the agent's key: the runs of one agent are one user, to whom its files are open."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID


def key_of(secret: str) -> bytes:
    """The key of an agent that has no other secret than its own token."""
    return hashlib.sha256(b"tokens of runs:" + secret.encode()).digest()


def seal(key: bytes, flow_run_id: UUID, attempt: int, token: str) -> str:
    """The token as text that says nothing without the key. Each attempt has one token, so that no pad is used twice."""
    content = token.encode()
    return _mixed(content, _pad(key, flow_run_id, attempt, len(content))).hex()


def unseal(key: bytes, flow_run_id: UUID, attempt: int, sealed: str) -> str:
    """The token again. With another key, the result is one that the server rejects. Raises ValueError for what was not sealed."""
    content = bytes.fromhex(sealed)
    return _mixed(content, _pad(key, flow_run_id, attempt, len(content))).decode("ascii", "replace")


def _pad(key: bytes, flow_run_id: UUID, attempt: int, length: int) -> bytes:
    pad = b""
    while len(pad) < length:
        pad += hmac.digest(key, f"{flow_run_id}:{attempt}:{len(pad)}".encode(), "sha256")
    return pad[:length]


def _mixed(content: bytes, pad: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(content, pad, strict=True))
