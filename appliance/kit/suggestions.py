"""The hint that ends a sentence about an unknown name: what was probably meant, or what there is."""

from __future__ import annotations

from collections.abc import Collection
from heapq import nsmallest

MOST = 20
"""How many names a hint lists."""
_MOST_COMPARED = 500
_LONGEST_COMPARED = 200


def hint(name: str, known: Collection[str], otherwise: str) -> str:
    """`did you mean 'state'?`, or `otherwise` followed by the known names, or alone if there are none to follow."""
    close = closest(name, known)
    if close is not None:
        return f"did you mean {close!r}?"
    names = nsmallest(MOST + 1, known)
    listed = ", ".join(map(_short, names[:MOST])) + (", and others" if len(names) > MOST else "")
    if not names and otherwise.endswith(" are"):
        return "there are none."
    return f"{otherwise} {listed}." if names else f"{otherwise}."


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant: the same in another case, or one with a similar spelling. Long names, and more than some
    hundred, are not compared: that takes the square of their length."""
    from difflib import get_close_matches  # only a mistake needs it

    if len(name) > _LONGEST_COMPARED:
        return None
    alike = [one for one in known if 10 * min(len(one), len(name)) >= 3 * (len(one) + len(name))]
    by_lower = {one.casefold(): one for one in nsmallest(_MOST_COMPARED, alike)[::-1]}
    close = get_close_matches(name.casefold(), by_lower, 1)
    return by_lower[close[0]] if close else None


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_COMPARED else f"{name[:_LONGEST_COMPARED]}…"
