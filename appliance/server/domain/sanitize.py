"""Texts and documents as the database can keep them: no NUL characters, which Postgres refuses, and no endless messages."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from appliance.protocol.logs import MAX_MESSAGE

MAX_SLUG = 300
"""The longest slug of a task in characters."""
MAX_INDEX = 2**31 - 1
"""The highest map index and run count of a task run."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text with NUL characters and lone surrogates replaced, cut to `limit` characters with a marker that says so."""
    if "\0" in text:
        text = text.replace("\0", _REPLACEMENT)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    if len(text) <= limit:
        return text
    marker = f"... [cut: {len(text)} characters]"
    return text[: max(0, limit - len(marker))] + marker


def composed(text: str) -> str:
    """The text in the one form of Unicode (NFC) in which labels are compared, so that one that looks like another is the other."""
    return unicodedata.normalize("NFC", text)


def clean_document(document: Any) -> Any:
    """The JSON document with the same done to every text in it; returned as it is when nothing needs it."""
    raw = msgspec.json.encode(document)
    return _cleaned(document) if b"\\u0000" in raw else document


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", _REPLACEMENT)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value
