"""Two versions compared: every kind of difference is told in its part, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.protocol.life_cycle import Change, PartComparison
from appliance.server.domain.version_comparison import HIDDEN, compare
from appliance.server.domain.versions import changes

DAILY = {"kind": "cron", "cron": "30 2 * * *", "timezone": "UTC"}


def version() -> Any:
    return SimpleNamespace(
        graph={
            "tasks": [{"slug": "extract-1", "max_retries": 0, "tags": []}, {"slug": "load-1", "max_retries": 0}],
            "edges": [{"upstream": "extract-1", "downstream": "load-1", "key": "rows", "mapped": False}],
            "reference_tasks": ["load-1"],
        },
        parameters=[{"name": "n", "required": False, "default": 1, "schema": {"type": "integer"}}],
        labels=["gpu"],
        run_config={"type": "docker", "image": "etl:1", "env": {"TOKEN": "old"}, "labels": ["gpu"]},
        schedules=[DAILY],
        storage={"type": "local", "path": "etl.py", "sha256": "a"},
    )


def added_task(new: Any) -> None:
    new.graph["tasks"].append({"slug": "report-1"})


def removed_task(new: Any) -> None:
    del new.graph["tasks"][1]


def changed_task(new: Any) -> None:
    new.graph["tasks"][0]["max_retries"] = 3


def mapped_edge(new: Any) -> None:
    new.graph["edges"][0]["mapped"] = True


def reference(new: Any) -> None:
    new.graph["reference_tasks"] = []


def default(new: Any) -> None:
    new.parameters[0]["default"] = None


def label(new: Any) -> None:
    new.labels = ["big"]


def image(new: Any) -> None:
    new.run_config["image"] = "etl:2"


def environment(new: Any) -> None:
    new.run_config["env"] = {"TOKEN": "new", "ZONE": "x"}


def schedule(new: Any) -> None:
    new.schedules = [DAILY | {"cron": "30 3 * * *", "parameters": {"region": "eu"}, "catch_up": "all"}]


def policy(new: Any) -> None:
    new.schedules = [DAILY | {"catch_up": "all"}]


def every_hour(new: Any) -> None:
    new.schedules = [{"kind": "interval", "seconds": 3600, "timezone": "UTC"}]


def no_schedule(new: Any) -> None:
    new.schedules = []


def second_schedule(new: Any) -> None:
    new.schedules.append(DAILY | {"cron": "0 6 * * 1"})


def another_edge(new: Any) -> None:
    new.graph["edges"][0] |= {"upstream": "load-1", "downstream": "extract-1", "mapped": True}


def code(new: Any) -> None:
    new.storage["sha256"] = "b"


KINDS: list[tuple[Callable[[Any], None], PartComparison]] = [
    (added_task, PartComparison(part="tasks", added=["report-1"])),
    (removed_task, PartComparison(part="tasks", removed=["load-1"])),
    (
        changed_task,
        PartComparison(part="tasks", changed=[Change(name="extract-1", field="max_retries", before=0, after=3)]),
    ),
    (
        mapped_edge,
        PartComparison(
            part="edges",
            changed=[Change(name="extract-1 -> load-1 as rows", field="mapped", before=False, after=True)],
        ),
    ),
    (reference, PartComparison(part="reference_tasks", removed=["load-1"])),
    (default, PartComparison(part="parameters", changed=[Change(name="n", field="default", before=1, after=None)])),
    (label, PartComparison(part="labels", added=["big"], removed=["gpu"])),
    (image, PartComparison(part="run_config", changed=[Change(name="image", before="etl:1", after="etl:2")])),
    (
        environment,
        PartComparison(
            part="run_config",
            added=["env ZONE"],
            changed=[Change(name="env TOKEN", before=HIDDEN, after=HIDDEN)],
        ),
    ),
    (no_schedule, PartComparison(part="schedules", removed=["Every day at 02:30"])),
    (second_schedule, PartComparison(part="schedules", added=["Every day at 06:00, on Mondays"])),
    (
        schedule,
        PartComparison(
            part="schedules",
            changed=[
                Change(name="Every day at 02:30", field="cron", before="30 2 * * *", after="30 3 * * *"),
                Change(name="Every day at 02:30", field="parameters.region", before=None, after="eu"),
                Change(name="Every day at 02:30", field="catch_up", before="latest", after="all"),
            ],
        ),
    ),
    (
        another_edge,
        PartComparison(
            part="edges", added=["load-1 -> extract-1 as rows, mapped"], removed=["extract-1 -> load-1 as rows"]
        ),
    ),
    (code, PartComparison(part="storage", changed=[Change(name="sha256", before="a", after="b")])),
]


@pytest.mark.parametrize(("change", "told"), KINDS, ids=[change.__name__ for change, _told in KINDS])
def test_every_kind_of_difference(change: Callable[[Any], None], told: PartComparison) -> None:
    old = version()
    new = copy.deepcopy(old)
    assert compare(old, new) == []
    change(new)
    assert compare(old, new) == [told]


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (no_schedule, 'schedule "Every day at 02:30" removed'),
        (second_schedule, 'schedule "Every day at 06:00, on Mondays" added'),
        (schedule, 'schedule changed from "Every day at 02:30" to "Every day at 03:30"'),
        (policy, 'schedule "Every day at 02:30" changed: catch-up from latest to all'),
        (every_hour, 'schedule changed from "Every day at 02:30" to "Every hour"'),
    ],
)
def test_a_new_version_says_what_became_of_schedules(change: Callable[[Any], None], phrase: str) -> None:
    old, new = version(), version()
    change(new)
    assert changes(old, new) == [phrase]


def test_a_new_version_says_which_commit_or_distribution_has_the_code() -> None:
    old, new = version(), version()
    for storage, told in (
        ({"commit": "0" * 40}, "commit 000000000000"),
        ({"distribution": "shop", "version": "2"}, "shop 2"),
    ):
        new.storage = old.storage | storage
        assert changes(old, new) == [told]


def test_all_at_once_and_back() -> None:
    old, new = version(), version()
    for change, _told in KINDS:
        if change not in (no_schedule, another_edge):
            change(new)
    there, back = compare(old, new), compare(new, old)
    assert [part.part for part in there] == [part.part for part in back]
    assert [(part.added, part.removed) for part in there] == [(part.removed, part.added) for part in back]
