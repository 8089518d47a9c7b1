"""Regular expressions that callers give: how large the automaton of one becomes, and how long a text may be for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

LONGEST = 1_000
MOST_STATES = 40_000
"""As many states take some 40 ms to compile, and megabytes."""
MOST_WORK = 3_000_000
"""States times characters for one text, which take a tenth of a second at the worst, in which no other code runs."""
_PER_STEP = 150
_CLASSES = {"w": 400, "p": 400, "b": 400, "d": 25, "s": 10}
"""States of a class, which has letters of many alphabets."""
_COUNT = re.compile(r"\{(\d*),?(\d*)\}")


class Pattern:
    """A compiled expression. Raises ValueError if it is too large, or can't be matched in linear time."""

    def __init__(self, text: str) -> None:
        from appliance.protocol.parameter_schemas import (
            linear_matcher,
        )  # pydantic, loaded only for schemas with patterns

        if len(text) > LONGEST:
            raise ValueError("The pattern is too long.")
        states, self._width = size(text)
        if states > MOST_STATES:
            raise ValueError("The pattern repeats too much.")
        self._matches: Callable[[str], bool] = linear_matcher(text)
        self.compile_steps = 5 + states // 5

    def steps(self, text: str) -> int | None:
        """What it takes to look for a match, in steps of some 5 µs; None: too much."""
        work = self._width * len(text)
        return None if work > MOST_WORK else 1 + work // _PER_STEP

    def matches(self, text: str) -> bool:
        """Does the text contain a match?"""
        return self._matches(text)


@lru_cache(maxsize=64)
def compiled(text: str) -> Pattern:
    """The pattern of a text, compiled once while it is in use."""
    return Pattern(text)


def size(pattern: str) -> tuple[int, int]:
    """About as many states as the pattern needs when every repetition is written out: in all, and where any character is one state."""
    groups, atom = [(1, 1)], (0, 0)
    place, end = 0, len(pattern)
    while place < end:
        character = pattern[place]
        if character == "(":
            groups.append((1, 1))
            place, atom = place + 1, (0, 0)
        elif character == ")" and len(groups) > 1:
            place, atom = place + 1, groups.pop()
        elif character in "*+?{":
            place, times = _repeats(pattern, place)
            extra = (atom[0] * (times - 1), atom[1] * (times - 1))
            groups[-1] = (groups[-1][0] + extra[0], groups[-1][1] + extra[1])
            atom = (atom[0] * times, atom[1] * times)
            continue
        else:
            place, atom = _atom(pattern, place)
        groups[-1] = (groups[-1][0] + atom[0], groups[-1][1] + atom[1])
    return sum(part[0] for part in groups), sum(part[1] for part in groups)


def _repeats(pattern: str, place: int) -> tuple[int, int]:
    """Where a quantifier ends, and how often it writes its atom out."""
    count = _COUNT.match(pattern, place)
    if count is None:
        return place + 1, 1
    numbers = [int(number[:6]) for number in count.groups() if number]
    return count.end(), max([*numbers, 1]) + (1 if count[0].endswith(",}") else 0)


def _atom(pattern: str, place: int) -> tuple[int, tuple[int, int]]:
    """Where one character or class ends, and its states."""
    character = pattern[place]
    if character == "\\":
        return place + 2, (_CLASSES.get(pattern[place + 1 : place + 2].lower(), 1), 1)
    if character != "[":
        return place + 1, (1 if character.isascii() and character != "." else 10, 1)
    end = place + 2
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    inside = pattern[place + 1 : end].lower()
    named = sum(states for name, states in _CLASSES.items() if f"\\{name}" in inside)
    return end + 1, (named + len(inside) + (_CLASSES["w"] if "[" in inside else 0), 1)
