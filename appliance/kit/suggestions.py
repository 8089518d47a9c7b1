"""The hint that ends a sentence about an unknown name: what was probably meant, or what there is."""

from __future__ import annotations

from collections.abc import Collection

MOST = 20
"""How many names a hint lists."""


def hint(name: str, known: Collection[str], otherwise: str) -> str:
    """`did you mean 'state'?`, or `otherwise` followed by the known names, or alone if there are none to follow."""
    close = closest(name, known)
    if close is not None:
        return f"did you mean {close!r}?"
    names = sorted(known)
    listed = ", ".join(names[:MOST]) + (", and others" if len(names) > MOST else "")
    if not names and otherwise.endswith(" are"):
        return "there are none."
    return f"{otherwise} {listed}." if names else f"{otherwise}."


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant: the same in another case, or one with a similar spelling."""
    from difflib import get_close_matches  # only a mistake needs it

    by_lower = {one.casefold(): one for one in sorted(known, reverse=True)}
    close = get_close_matches(name.casefold(), by_lower, 1)
    return by_lower[close[0]] if close else None
