"""How thoroughly the tests look: `quick` for `make check`, `normal` for `make test`, `full` for `make test-full`.

Every depth asserts the same things. It only decides how many samples a property, a sweep or a storm draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TypeVar

import pytest

T = TypeVar("T")
DATABASES = ("sqlite", "postgres")


class Depth(Enum):
    """The values of pytest's option --depth."""

    QUICK = "quick"
    NORMAL = "normal"
    FULL = "full"


class _Current:
    depth = Depth.NORMAL


def choose(name: str) -> None:
    """Set the depth for this process. Called before any test module is imported, because decorators read it."""
    _Current.depth = Depth(name)


def is_quick() -> bool:
    return _Current.depth is Depth.QUICK


def is_full() -> bool:
    return _Current.depth is Depth.FULL


def pick(*, quick: T, normal: T, full: T) -> T:
    """The value for the depth of this test run."""
    return {Depth.QUICK: quick, Depth.NORMAL: normal, Depth.FULL: full}[_Current.depth]


def examples(normal: int) -> int:
    """How many examples Hypothesis draws: a quarter of `normal` in a quick run, twenty times as many in a full one."""
    return pick(quick=max(10, normal // 4), normal=normal, full=20 * normal)


def off_diagonal(tests: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Those marked `diagonal` that only full runs have: in others, what is tested with each database alternates between the two."""
    cases: dict[str, dict[str, int]] = {}
    for test in tests:
        if not is_full() and test.get_closest_marker("diagonal"):
            database = next(value for value in test.callspec.params.values() if value in DATABASES)  # type: ignore[attr-defined]
            of_function = cases.setdefault(test.nodeid.partition("[")[0], {})
            number = of_function.setdefault(test.nodeid.replace(database, "", 1), len(of_function))
            if number.bit_count() % 2 != DATABASES.index(database):  # not in step with another parameter of two values
                yield test


def excluding_marker(markers: set[str]) -> str | None:
    """The marker because of which a test does not run at this depth, if there is one."""
    skipped = pick(quick={"slow", "full"}, normal={"full"}, full=set[str]())
    return next(iter(sorted(skipped & markers)), None)
