"""Before a restart, the server says which tasks will run again: exactly those do, for any graph, wherever the results are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.client import agents, flow_runs
from appliance.client.errors import Conflict
from appliance.core.annotations import flatten
from appliance.core.flow import Flow
from appliance.core.task import Task
from appliance.engine.results.local import LocalResult
from appliance.packaging.register import register
from appliance.protocol.agents import Enrol
from appliance.protocol.continuation import ContinuedTask
from appliance.protocol.flow_runs import CreateFlowRun
from tests.conformance.twice import Site, opened
from tests.conformance.world import World

SEEDS = (101, 102, 105, 107, 111, 116, 123, 136, 170, 171)
"""Those of graphs in which tasks run again for every reason."""


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "data", database_url) as found:
        yield found


class Step(Task):
    """Notes each of its calls, and fails in the first attempt if it is to."""

    def __init__(self, world: World, fails: bool, wide: bool, none: bool, **options: Any) -> None:
        super().__init__(**options)
        self.world, self.fails, self.wide, self.none = world, fails, wide, none

    def run(self, first: Any = None, second: Any = None) -> Any:
        self.world.note(self.name)
        if self.fails and self.world.restarts == 0:
            raise ConnectionError("the first time")
        if self.none:
            return None
        return [1, 2, 3] if self.wide else 1


def random_flow(world: World, seed: int, place: Path) -> Flow:
    """A graph of up to seven tasks: with and without values and kept results, some of them mapped, some failing at first."""
    draw = random.Random(seed)
    with Flow(f"random-{seed}", result=LocalResult(place)) as flow:
        plain: list[Step] = []
        mapped: list[Step] = []
        for number in range(draw.randint(3, 7)):
            step = Step(
                world,
                fails=draw.random() < 0.25,
                wide=draw.random() < 0.5,
                none=draw.random() < 0.15,
                name=f"t{number}",
                slug=f"t{number}",
                checkpoint=False if draw.random() < 0.3 else None,
            )
            above = draw.sample(plain, min(len(plain), draw.randint(0, 2)))
            wide = [one for one in plain if one.wide and not one.none]
            if mapped and draw.random() < 0.4:
                chosen = draw.choice(mapped)
                how = draw.choice(("follow", "flatten", "gather"))
                if how == "gather":
                    plain.append(step.bind(chosen))
                else:
                    over = chosen if how == "follow" or not chosen.wide or chosen.none else flatten(chosen)
                    mapped.append(step.bind(over, mapped=True))
            elif wide and draw.random() < 0.5:
                mapped.append(step.bind(draw.choice(wide), mapped=True))
            elif draw.random() < 0.7:
                plain.append(step.bind(*above))
            else:
                plain.append(step.bind(upstream_tasks=above))
        flow.set_reference_tasks(flow.tasks)
    return flow


@pytest.mark.diagonal
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_announced_is_what_happens(site: Site, tmp_path: Path, seed: int) -> None:
    world = World(tmp_path / "run")
    place = LocalResult(tmp_path / "results")
    agents.enrol(site.client, Enrol(name="host", type="process", results_url=place.address, results_id="one"))
    flow = random_flow(world, seed, place.dir)
    register(flow, "p", transport=site.client, storage=Nowhere())
    run = flow_runs.create(site.client, CreateFlowRun(project="p", flow=flow.name)).id
    site.attempt(run, flow, tmp_path / "spool")
    before = world.calls
    anywhere = seed % 3 == 0
    found = flow_runs.continuation(site.client, run, anywhere=anywhere)
    if seed == SEEDS[0]:
        query = "query($id: UUID!, $anywhere: Boolean!) { flowRunContinuation(flowRunId: $id, anywhere: $anywhere) { runs { slug reason } runCount } }"
        asked = {"query": query, "variables": {"id": str(run), "anywhere": anywhere}}
        answer = site.client.ask("POST", "/graphql", dict[str, Any], msgspec.json.encode(asked))["data"]
        listed = [{"slug": one.slug, "reason": one.reason} for one in found.runs]
        assert answer == {"flowRunContinuation": {"runs": listed, "runCount": found.run_count}}
    if found.refusal:
        with pytest.raises(Conflict, match="No task of the run has failed"):
            flow_runs.restart(site.client, run)
        return
    world.restart()
    flow_runs.restart(site.client, run, anywhere=anywhere)
    site.attempt(run, flow, tmp_path / "spool-2")
    again = {name: count - before.get(name, 0) for name, count in world.calls.items() if count > before.get(name, 0)}
    announced: dict[str, list[ContinuedTask]] = {}
    for one in found.runs:
        announced.setdefault(one.slug, []).append(one)
    flattened = {flow.slugs[edge.downstream_task] for edge in flow.edges if edge.flattened}
    assert again.keys() <= announced.keys(), found
    for slug, items in announced.items():
        count = sum(one.count for one in items)
        if all(one.indexes or not one.mapped for one in items) and slug not in flattened:
            assert again.get(slug, 0) == count, (slug, found)
        else:  # not all of its children are known yet
            assert again.get(slug, 0) >= count, (slug, found)


class Nowhere:
    """The flow is at hand already."""

    def describe(self) -> dict[str, Any]:
        return {"type": "local", "path": "flows.py"}
