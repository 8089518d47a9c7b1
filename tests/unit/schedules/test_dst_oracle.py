"""Every zone's changes of offset, 2020 to 2037, against the brute-force oracle: no schedule may deviate by a single time.

A quick run samples one change of each behaviour, a normal one the first and a drawn one as well. The full
sweep takes every change and twelve ordinary weeks: python -m pytest -s --depth full tests/unit/schedules/test_dst_oracle.py
"""

from __future__ import annotations

import random
from datetime import datetime

import pytest

from appliance.schedules import parse
from tests import depth
from tests.unit.schedules import dst_oracle as oracle
from tests.unit.schedules.dst_oracle import CASES, DAY, EPOCH, MINUTE, Case, Walk, ZoneInfo

SEED = 20_371


def at(minute: int) -> datetime:
    return EPOCH + minute * MINUTE


def deviations(case: Case, walk: Walk, zone: str, draw: random.Random) -> list[str]:
    document = case.document | {"timezone": zone}
    rule = parse(document)
    expected = [at(int(minute)) for minute in walk.expected(case)]
    end = at(walk.end)
    times = [time for time in rule.next(len(expected) + 1, at(walk.start) - MINUTE) if time < end]
    wrong = [] if times == expected else [f"{zone} {document} from {at(walk.start)}: {set(times) ^ set(expected)}"]
    for _ in range(depth.pick(quick=1, normal=1, full=2)):  # from any starting point inside, the rest is the same
        after = at(draw.randrange(walk.start, walk.end))
        rest = [time for time in expected if time > after][:3]
        if rule.next(len(rest), after) != rest:
            wrong.append(f"{zone} {document} after {after}")
    return wrong


def windows(moments: list[int], draw: random.Random) -> list[tuple[int, int]]:
    if depth.is_full():
        ordinary = [draw.randrange(oracle.FIRST + 3 * DAY, oracle.LAST - 9 * DAY) for _ in range(12)]
        return [(moment - 3 * DAY, moment + 4 * DAY) for moment in moments] + [(x, x + 6 * DAY) for x in ordinary]
    chosen = {draw.choice(moments)} if moments else set()
    if not depth.is_quick():
        chosen |= set(moments[:1])
    ordinary = [] if chosen else [draw.randrange(oracle.FIRST + 3 * DAY, oracle.LAST - 9 * DAY)]
    return [(moment - DAY // 2, moment + DAY // 2) for moment in sorted(chosen)] + [(x, x + DAY) for x in ordinary]


@pytest.mark.timeout(depth.pick(quick=60, normal=180, full=3600))
def test_no_schedule_deviates_from_the_oracle_in_any_zone() -> None:
    assert len({case.document.get("cron") for case in CASES} - {None}) >= 40
    draw = random.Random(SEED)
    groups = oracle.zones_by_behaviour(depth.pick(quick=DAY, normal=DAY, full=60))
    wrong: list[str] = []
    compared = walked = 0
    for behaviour, names in groups.items():
        zone = draw.choice(names)
        for start, end in windows([moment for moment, _ in behaviour[1:]], draw):
            walk = Walk(ZoneInfo(zone), start, end)
            walked += 1
            for case in CASES:
                wrong += deviations(case, walk, zone, draw)
                compared += 1
    zones = sum(map(len, groups.values()))
    print(
        f"\n{zones} zones, {len(groups)} behaviours, {walked} windows, {len(CASES)} schedules, {compared} comparisons"
    )
    assert zones > 400
    assert not wrong, f"seed {SEED}: {len(wrong)} deviations, first: {wrong[:5]}"


@pytest.mark.parametrize(("expression", "fixed"), [("30 2 * * *", False), ("30 1 * * *", False), ("0 * * * *", True)])
def test_the_oracle_notices_a_rule_that_is_mistaken(expression: str, fixed: bool) -> None:
    right = next(case for case in CASES if case.document.get("cron") == expression)
    zone = "America/New_York"
    wrong: list[str] = []
    for moment, _ in oracle.changes(ZoneInfo(zone), DAY)[1:3]:
        walk = Walk(ZoneInfo(zone), moment - DAY, moment + DAY)
        assert not deviations(right, walk, zone, random.Random(1))
        wrong += deviations(Case(right.document, right.fits, fixed), walk, zone, random.Random(1))
    assert wrong
