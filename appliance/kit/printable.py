"""Text of others, made safe to show on a terminal, in a file, or in our own log: nothing in it moves the cursor, fills the clipboard,
hides behind a link, changes the writing direction, is invisible, or passes for a line of its own."""

from __future__ import annotations

import functools
import re

_CONTROLS = [
    *range(9),
    *range(11, 32),
    *range(127, 160),
    0x00AD,
    0x061C,
    0x180E,
    0x200B,
    *range(0x200E, 0x2010),
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),  # surrogates, which no terminal or file can have
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
]
"""The joiners U+200C and U+200D stay: words of Persian and many emoji have them."""
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    for code in _CONTROLS
}
LONGEST_SENTENCE = 2_000
_STYLE = re.compile(r"(\x1b\[(?:0|1|3[1-6])m)")
"""What our own output uses. No other color or weight of a text stays: it could be that of the background."""


def printable(text: str) -> str:
    """The text with control characters (except newline and tab) escaped."""
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """The same on one line."""
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def json_text(text: str) -> str:
    """JSON with the same characters escaped, as JSON has it."""
    return text.translate(_json_escapes())


@functools.cache
def _json_escapes() -> dict[int, str]:
    """Made when a command first prints JSON: that takes milliseconds, which every process would spend."""
    import json

    return {code: json.dumps(chr(code))[1:-1] if code != 127 else "\\u007f" for code in _CONTROLS}


def sentence(text: str, most: int = LONGEST_SENTENCE) -> str:
    """The same with no more than `most` characters. Longer text is cut in the middle, because its end says what to do next."""
    text = one_line(text[:most] + text[-most:] if len(text) > 2 * most else text)
    end = most // 4
    return text if len(text) <= most else f"{text[: most - end - 3]} … {text[-end:]}"


def entry(text: str) -> str:
    """The same with all lines after the first indented, so that none looks like an entry of the log."""
    return printable(text.rstrip("\n")).replace("\n", "\n    ")


def styled(text: str) -> str:
    """Printable text in which our colors and weights stay."""
    return "".join(part if _STYLE.fullmatch(part) else printable(part) for part in _STYLE.split(text))
