"""Numbers with their nouns in sentences: "1 run", "2 runs"."""

from __future__ import annotations


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """The number and the noun in its right form; the plural ends in s unless it is given."""
    text = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{text} {noun if number == 1 else plural or noun + 's'}"
