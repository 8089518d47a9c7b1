"""Which task runs run again in a restart."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.server.domain.restart import to_run_again

OK, BAD = "SUCCESS", "FAILED"


def edge(upstream: str, downstream: str, *, mapped: bool = False, flattened: bool = False) -> dict[str, Any]:
    return {"upstream": upstream, "downstream": downstream, "key": "x", "mapped": mapped, "flattened": flattened}


def children(slug: str, *types: str, parent: str = OK) -> dict[tuple[str, int], str]:
    return {(slug, -1): parent} | {(slug, index): type for index, type in enumerate(types)}


@pytest.mark.parametrize(
    ("edges", "types", "again"),
    [
        ([], {}, set()),
        ([edge("a", "b")], {("a", -1): OK, ("b", -1): OK}, set()),
        ([edge("a", "b")], {("a", -1): BAD, ("b", -1): OK}, {("a", -1), ("b", -1)}),
        ([edge("a", "b")], {("a", -1): OK, ("b", -1): "CANCELLED"}, {("b", -1)}),
        ([edge("a", "b"), edge("b", "c")], {("a", -1): "RUNNING", ("c", -1): OK}, {("a", -1)}),  # b was never recorded
        (
            [edge("a", "b", mapped=True), edge("b", "c", mapped=True), edge("c", "d")],
            {("a", -1): OK} | children("b", OK, BAD) | children("c", OK, BAD) | {("d", -1): BAD},
            {("b", 1), ("c", 1), ("d", -1)},
        ),
        (
            [edge("b", "c", mapped=True, flattened=True)],
            children("b", OK, BAD) | children("c", OK, OK),
            {("b", 1), ("c", -1), ("c", 0), ("c", 1)},
        ),
        (
            [edge("a", "b", mapped=True), edge("b", "c", mapped=True)],
            {("a", -1): BAD} | children("b", OK, parent=OK) | children("c", OK),
            {("a", -1), ("b", -1), ("b", 0), ("c", -1), ("c", 0)},
        ),
        ([edge("b", "c", mapped=True)], children("b", OK, BAD) | children("c", OK), {("b", 1)}),  # the shorter of two
        ([edge("gone", "b")], {("b", -1): OK}, set()),
    ],
)
def test_what_runs_again(edges: Any, types: Any, again: Any) -> None:
    assert to_run_again(edges, types) == again


CHAIN = [edge("a", "b"), edge("b", "c"), edge("x", "c")]
ENDED = {(slug, -1): OK for slug in ("a", "b", "c", "x")}


@pytest.mark.parametrize(
    ("edges", "types", "from_task", "again"),
    [
        (CHAIN, ENDED, "b", {("b", -1), ("c", -1)}),
        (CHAIN, ENDED, "c", {("c", -1)}),
        (CHAIN, ENDED | {("x", -1): BAD}, "b", {("b", -1), ("c", -1), ("x", -1)}),  # what failed elsewhere runs too
        (CHAIN, {("a", -1): OK, ("c", -1): OK}, "b", {("c", -1)}),  # b was never recorded
        (
            [edge("a", "b", mapped=True), edge("b", "c", mapped=True)],
            {("a", -1): OK} | children("b", OK, OK) | children("c", OK, OK),
            "b",
            {(slug, index) for slug in ("b", "c") for index in (-1, 0, 1)},
        ),
    ],
)
def test_what_runs_again_from_a_task(edges: Any, types: Any, from_task: str, again: Any) -> None:
    assert to_run_again(edges, types, from_task) == again
