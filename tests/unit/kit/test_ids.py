"""Identifiers: those of parts are derived and sort beside their parent, all others follow time."""

from __future__ import annotations

from itertools import pairwise
from uuid import RFC_4122

from appliance.kit import ids


def test_the_id_of_a_part_is_derived_from_its_parent() -> None:
    run, other = ids.uuid7(), ids.uuid7()
    part = ids.derived(run, "load", 3)
    assert part == ids.derived(run, "load", 3)
    assert len({part, ids.derived(run, "load", 4), ids.derived(run, "save", 3), ids.derived(other, "load", 3)}) == 4
    assert (part.version, part.variant) == (8, RFC_4122)
    assert part.bytes[:6] == run.bytes[:6]


def test_ids_of_a_process_are_in_the_order_of_their_making() -> None:
    made = [ids.uuid7() for _ in range(10_000)]
    assert all(a < b for a, b in pairwise(made))
    assert (made[0].version, made[0].variant) == (7, RFC_4122)
