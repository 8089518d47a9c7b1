"""What a flow's graph must be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def has_cycle(edges: Iterable[tuple[str, str]]) -> bool:
    """Whether some task depends on itself, directly or through others; in linear time, however long the chain is."""
    below: dict[str, list[str]] = defaultdict(list)
    waiting: dict[str, int] = defaultdict(int)
    for upstream, downstream in edges:
        below[upstream].append(downstream)
        waiting[downstream] += 1
        waiting.setdefault(upstream, 0)
    ready = [slug for slug, number in waiting.items() if not number]
    done = 0
    while ready:
        done += 1
        for slug in below[ready.pop()]:
            waiting[slug] -= 1
            if not waiting[slug]:
                ready.append(slug)
    return done < len(waiting)
