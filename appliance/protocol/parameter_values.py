"""Which texts no value of a parameter may contain, wherever the flow runs: Postgres can't store NUL characters."""

from __future__ import annotations

from typing import Any

_COLLECTIONS = (list, tuple, set, frozenset)


def has_nul(value: Any) -> bool:
    """Is there a NUL character in the value, or at any depth of collections in it, or in their keys?"""
    seen: set[int] = set()
    rest = [value]  # no recursion: values may be deep, and may hold themselves
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            if "\0" in one:
                return True
        elif isinstance(one, (dict, *_COLLECTIONS)) and id(one) not in seen:
            seen.add(id(one))
            rest.extend((*one, *one.values()) if isinstance(one, dict) else one)
    return False


def nul_problem(subject: str) -> str:
    """What is wrong with a value that has one; the subject is such as `Parameter 'name'`."""
    return f"{subject} contains a NUL character, which the server can't store; remove it."
