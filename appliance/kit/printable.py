"""Text of others, made safe to show on a terminal, in a file, or in our own log: nothing in it moves the cursor, fills the clipboard,
hides behind a link, changes the writing direction, or passes for a line of its own."""

from __future__ import annotations

import re

_CONTROLS = [
    *range(9),
    *range(11, 32),
    *range(127, 160),
    0x061C,
    *range(0x200E, 0x2010),
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]
_ESCAPES = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _CONTROLS}
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


def printable(text: str) -> str:
    """The text with control characters (except newline and tab) escaped."""
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """The same on one line."""
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def entry(text: str) -> str:
    """The same with all lines after the first indented, so that none looks like an entry of the log."""
    return printable(text.rstrip("\n")).replace("\n", "\n    ")


def styled(text: str) -> str:
    """Printable text in which colors and weights stay."""
    return "".join(part if _STYLE.fullmatch(part) else printable(part) for part in _STYLE.split(text))
