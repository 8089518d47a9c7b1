"""Identifiers: those of parts are derived and sort beside their parent, all others follow time."""

from __future__ import annotations

from itertools import pairwise
from uuid import RFC_4122, UUID

from appliance.kit import ids


def test_the_id_of_a_part_is_derived_from_its_parent() -> None:
    run, other = ids.uuid7(), ids.uuid7()
    part = ids.derived(run, "load", 3)
    assert part == ids.derived(run, "load", 3)
    assert len({part, ids.derived(run, "load", 4), ids.derived(run, "save", 3), ids.derived(other, "load", 3)}) == 4
    assert (part.version, part.variant) == (8, RFC_4122)
    assert part.bytes[:6] == run.bytes[:6]


def test_the_id_of_a_part_never_changes() -> None:
    parent = UUID("0190a5b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b")
    derive = ids.derivation(parent)
    found = [derive("load-1", -1), derive("load-1", 3), ids.derived(parent, "größe", 0)]
    assert found == [
        UUID(text)
        for text in (
            "0190a5b2-7c3d-8560-8236-b342527ff025",
            "0190a5b2-7c3d-8274-bda2-31960e6976ce",
            "0190a5b2-7c3d-850f-ba65-1d99e92da568",
        )
    ]


def test_ids_of_a_process_are_in_the_order_of_their_making() -> None:
    made = [ids.uuid7() for _ in range(10_000)]
    assert all(a < b for a, b in pairwise(made))
    assert (made[0].version, made[0].variant) == (7, RFC_4122)
