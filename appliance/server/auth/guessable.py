"""Which passwords are easy to guess: common ones, also with digits or signs around them, names, repetitions, and sequences. The list is read
only when somebody chooses a password, and not kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

LIST = Path(__file__).with_name("common_passwords.txt")
_PRODUCT = "appliance"
_TITLES = frozenset({_PRODUCT, "administrator", "operator", "viewer"})
_SHORTEST, _LONGEST = 4, 24
"""Of the common passwords that are looked for inside another one."""
_LOOKALIKES = str.maketrans("@4301!$57", "aaeoiisst")
_ROWS = ("01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = frozenset(pair for row in _ROWS for text in (row, row[::-1]) for pair in pairwise(text))
_ENOUGH = 256
"""Characters to look at: more are not guessed, whatever follows."""
_SEQUENCE = 3
"""Sequences of so many characters on average carry next to nothing."""
_LETTERS = re.compile(r"[^\W\d_]+")


def common_passwords() -> frozenset[str]:
    """In lower case, without the comments at the top."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def reason(password: str, username: str) -> str:
    """Why the password is easy to guess, as a part of a sentence about it; empty if nothing is known against it."""
    text = unicodedata.normalize("NFKC", password).casefold().strip()[:_ENOUGH]
    if any(name in text for name in _names(username)):
        return "it contains the user's name"
    part = _repeated(text)
    if len(set(text)) < 4 or len(part) < min(len(text), 12):
        return "it repeats a short part"
    if _sequences(text) * _SEQUENCE <= len(text):
        return "it consists of sequences such as 1234 or qwerty"
    common = common_passwords() | _TITLES | {username.casefold()}
    rest = text.replace(_PRODUCT, "")
    if rest != text and (not _LETTERS.search(rest) or _is_common(rest, common)):
        return "it contains little more than the product's name"
    if _is_common(part, common):
        return "it is a common password, perhaps with digits or signs around it"
    return ""


def _names(username: str) -> set[str]:
    """The user's name and, of an email address, the part before the sign; shorter ones are in too many words."""
    name = username.casefold()
    return {part for part in (name, name.partition("@")[0]) if len(part) > 2}


def _repeated(text: str) -> str:
    """The shortest part whose repetition, also with a sign in between, makes up most of the text; the text if nothing is repeated."""
    for ends in ("", r"^[\W_]+|[\W_]+$", r"^[\W\d_]+|[\W\d_]+$"):
        bare = re.sub(ends, "", text)
        for size in range(1, len(bare) // 2 + 2):
            if len(bare) * 2 >= len(text) and all(bare[i] == bare[i - size] for i in range(size, len(bare))):
                return bare[:size]
    return text


def _sequences(text: str) -> int:
    """Of how many sequences it consists: of one character, of the alphabet, of digits, or of a row of the keyboard, in either direction."""
    pairs = pairwise(text)
    return 1 + sum(abs(ord(a) - ord(b)) > 1 and (a, b) not in _NEIGHBOURS for a, b in pairs)


def _is_common(text: str, common: Collection[str]) -> bool:
    """Whether all letters belong to one common password, also several times, or there are none and half of it is one."""
    words = set(_LETTERS.findall(text))
    if len(words) == 1 and words <= set(common):
        return True
    places = [place for place, character in enumerate(text) if character.isalpha()]
    first, last = (places[0], places[-1]) if places else (len(text), -1)
    least = _SHORTEST if places else max(_SHORTEST, (len(text) + 1) // 2)
    for start in range(first + 1):
        for end in range(max(start + least, last + 1), min(start + _LONGEST, len(text)) + 1):
            core = text[start:end]
            if core in common or core.translate(_LOOKALIKES) in common:
                return True
    return False
