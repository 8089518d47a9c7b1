"""The work that every product of the comparison does, and nothing else: plain Python, imported by each with its own interpreter."""

from __future__ import annotations

STEPS = {"chain": 2_000, "map": 10_000, "fibo10": 40, "fibo33": 10}
"""How many tasks each kind of work has."""
SMALLER = STEPS | {"map": 1_000}
"""The same with a map that doesn't take minutes."""
FEWER = {"chain": 500, "map": 500, "fibo10": 40, "fibo33": 10}
"""The same for products that take minutes for the chain, too."""


def same(x: int) -> int:
    return x


def fibo(n: int) -> int:
    """The recursion of Windmill's public benchmark: 40 tasks with 10, and 10 tasks with 33."""
    return n if n < 2 else fibo(n - 1) + fibo(n - 2)
