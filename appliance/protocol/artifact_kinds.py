"""The kinds of artifacts, how large each may be, and what is wrong with one: the same checks in runs and on the server."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

MARKDOWN, TABLE, LINK, IMAGE = "markdown", "table", "link", "image"
PROGRESS, PLOT, HTML, FILE = "progress", "plot", "html", "file"
MEDIA_TYPES: Final = {
    MARKDOWN: "text/markdown",
    TABLE: "application/json",
    LINK: "text/plain",
    PROGRESS: "text/plain",
    PLOT: "application/json",
    HTML: "text/html",
    FILE: "application/octet-stream",
}
"""Of the content, whose texts are UTF-8; an image has the type that its first bytes show."""
EXTENSIONS: Final = {
    MARKDOWN: ".md",
    TABLE: ".json",
    LINK: ".txt",
    PROGRESS: ".txt",
    PLOT: ".vl.json",
    HTML: ".html",
    FILE: "",
}
IMAGE_EXTENSIONS: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
KINDS: Final = (*MEDIA_TYPES, IMAGE)
MOST_BYTES: Final = {MARKDOWN: 1_000_000, TABLE: 5_000_000, LINK: 2_000, PROGRESS: 0, PLOT: 5_000_000, HTML: 5_000_000}
"""Of texts, which browsers show; images and files have the server's own limit."""
RUN, LATEST, FOREVER = "run", "latest", "forever"
RETENTIONS: Final = (RUN, LATEST, FOREVER)
"""Until the run is deleted; the same, but the latest version of a key stays; until somebody deletes it, or its flow."""
LONGEST_TITLE: Final = 200
LONGEST_FILE_NAME: Final = 200
LONGEST_KEY: Final = 100
MOST_COLUMNS: Final = 500
KEY_RULE: Final = (
    f"up to {LONGEST_KEY} lower-case letters, digits, dashes, dots, and underscores, and begins with a letter or digit"
)
_KEY = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST_KEY - 1}}}")
_SCHEMES = ("http", "https")


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a table, in JSON."""

    columns: list[str]
    rows: list[list[bool | int | float | str | None]]


def is_key(text: str) -> bool:
    """Can artifacts have this key?"""
    return _KEY.fullmatch(text) is not None


def media_type(kind: str, content: bytes) -> str:
    """The media type of content that has no problem."""
    return image_type(content) or "" if kind == IMAGE else MEDIA_TYPES[kind]


def image_type(content: bytes) -> str | None:
    """The media type of a raster image that browsers show; None for anything else, such as SVG, which may contain scripts."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def problem(kind: str, content: bytes) -> str | None:
    """Why content can't be that of an artifact of this kind, as a sentence; None: it can."""
    most = MOST_BYTES.get(kind)
    if most is not None and len(content) > most:
        return _too_large(kind, len(content), most)
    if kind == IMAGE:
        other = "An image must be PNG, JPEG, GIF, or WebP; store others, such as SVG, as a file."
        return None if image_type(content) else other
    if kind in (PROGRESS, FILE):
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"The content of {_a(kind)} must be text in UTF-8; store bytes as a file."
    check = {LINK: _link, TABLE: _table, PLOT: _plot}.get(kind)
    return check(text) if check else None


def key_problem(key: str | None, retention: str) -> str | None:
    """Why an artifact can't have this key, or can't do without one."""
    if key is not None and not is_key(key):
        return f"The key of an artifact has {KEY_RULE}."
    return "Only an artifact with a key has a latest version to keep." if key is None and retention == LATEST else None


def progress_problem(kind: str, progress: float | None) -> str | None:
    """Why an artifact of this kind can't have this progress."""
    if kind != PROGRESS:
        return None if progress is None else "Only artifacts of the kind progress have a percentage."
    return None if progress is not None and 0 <= progress <= 100 else "Progress is a number from 0 to 100."


def file_name_problem(name: str) -> str | None:
    """Why a file can't have this name."""
    if not 0 < len(name) <= LONGEST_FILE_NAME:
        return f"The name of a file has between 1 and {LONGEST_FILE_NAME} characters."
    if not name.isprintable() or set(name) & set("/\\:") or name in (".", ".."):
        return "The name of a file has no slashes, colons, or control characters."
    return None


def download_name(
    kind: str, media_type: str, file_name: str | None, key: str | None, version: int | None, id: str
) -> str:
    """Under which name an artifact is saved: a file's own, otherwise the key with its version."""
    if file_name is not None:
        return file_name
    extension = EXTENSIONS.get(kind) or IMAGE_EXTENSIONS.get(media_type, "")
    return f"{id if key is None else f'{key}-{version}'}{extension}"


def _too_large(kind: str, size: int, most: int) -> str:
    if not most:
        return f"{_a(kind).capitalize()} has no content, only a number."
    return f"It has {size:,} bytes, and {_a(kind)} has at most {most:,}; store more as a file."


def _a(kind: str) -> str:
    return {PROGRESS: "progress", MARKDOWN: "markdown", HTML: "an HTML page"}.get(kind, f"a {kind}")


def _link(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme.lower() in _SCHEMES and bool(parts.hostname)
    except ValueError:
        is_whole = False
    if not is_whole or not text.isprintable() or " " in text:
        return "A link must be a URL that begins with https:// or http://, without spaces."
    return None


def _table(text: str) -> str | None:
    try:
        table = msgspec.json.decode(text, type=Table)
    except (msgspec.MsgspecError, RecursionError) as error:
        return f"A table consists of names of columns, and of rows of texts, numbers, truth values, and nulls: {error}."
    width = len(table.columns)
    if not (width or not table.rows) or width > MOST_COLUMNS:
        return f"A table has between 1 and {MOST_COLUMNS} columns."
    for number, row in enumerate(table.rows, 1):
        if len(row) != width:
            return f"Row {number:,} of the table has {len(row):,} cells, and there are {width:,} columns."
    return None


def _plot(text: str) -> str | None:
    try:
        spec = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        return f"A plot must be a Vega-Lite spec in JSON: {error}."
    if not isinstance(spec, dict) or not spec:
        return "A plot must be a Vega-Lite spec: a JSON object."
    return "A plot brings its data along, in data.values; data from a URL is not loaded." if _loads(spec) else None


def _loads(spec: dict[str, Any]) -> bool:
    """Has the spec data from a URL in any of its views? Its values may be called anything."""
    left: list[Any] = [spec]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += [value for name, value in one.items() if name not in ("values", "datasets")]
            data = one.get("data")
            if isinstance(data, dict) and "url" in data:
                return True
        elif isinstance(one, list):
            left += one
    return False
