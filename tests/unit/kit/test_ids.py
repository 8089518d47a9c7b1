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
    found = [*ids.derived_all(parent, [("load-1", -1), ("load-1", 3)]), ids.derived(parent, "größe", 0)]
    assert found == [
        UUID(text)
        for text in (
            "0190a5b2-7c3d-8560-8236-b342527ff025",
            "0190a5b2-7c3d-8274-bda2-31960e6976ce",
            "0190a5b2-7c3d-850f-ba65-1d99e92da568",
        )
    ]


def test_many_derived_at_once_are_the_same_and_of_version_8() -> None:
    parent = ids.uuid7()
    parts = [("load", index) for index in range(500)]
    found = ids.derived_all(parent, parts)
    assert found == [ids.derived(parent, *one) for one in parts]
    assert {(one.version, one.variant, one.bytes[:6]) for one in found} == {(8, RFC_4122, parent.bytes[:6])}


def test_ids_of_a_process_are_in_the_order_of_their_making() -> None:
    made = [ids.uuid7() for _ in range(10_000)]
    assert all(a < b for a, b in pairwise(made))
    assert (made[0].version, made[0].variant) == (7, RFC_4122)
