"""What keeps an agent from taking a run, which always agrees with the reason for which the run would wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.protocol.agents import Provided
from appliance.protocol.run_config import ANY_PYTHON, Needs
from appliance.server.domain import hosts
from appliance.server.domain.agent_match import missing
from appliance.server.domain.agent_states import DRAINS, ENROLS, GONE, RESUMES, SIGNS_OFF, is_draining
from appliance.server.domain.waiting import AgentFacts, RunFacts, Situation, taken

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OURS, THEIRS = UUID(int=1), UUID(int=2)
LABELS = st.frozensets(st.sampled_from(["gpu", "big", "on-host:a", "on-host:b", "on-host:gone"]))
AGENTS = st.builds(
    AgentFacts,
    labels=LABELS,
    capacity=st.just(2),
    running=st.integers(0, 2),
    state=st.sampled_from(["online", "draining", "signed_off", "signed_off_draining"]),
    last_seen=st.sampled_from([NOW, NOW - timedelta(minutes=5)]),
    projects=st.sampled_from([None, frozenset({OURS}), frozenset({THEIRS})]),
    kinds=st.sampled_from([frozenset({"universal"}), frozenset({"universal", "docker"})]),
    storages=st.sampled_from([frozenset({"local"}), frozenset({"local", "git"})]),
    name=st.just("worker"),
    host=st.sampled_from(["a", "b", ""]),
    provided=st.sampled_from(
        [
            None,
            Provided(),
            Provided(quarantined_until=NOW + timedelta(seconds=30)),
            Provided(users=["etl"]),
            Provided(users=["etl"], pythons=["3.12"]),
        ]
    ),
)
RUNS = st.builds(
    RunFacts,
    state_type=st.just("SCHEDULED"),
    state_name=st.just("Scheduled"),
    scheduled_time=st.just(NOW),
    labels=LABELS,
    project_id=st.just(OURS),
    kind=st.sampled_from(["universal", "docker"]),
    storage=st.sampled_from(["local", "git"]),
    needs=st.builds(Needs, st.sampled_from([None, "etl", "web"]), st.sampled_from([None, "3.12", "3.13", ANY_PYTHON])),
)


@given(RUNS, st.lists(AGENTS, max_size=3))
def test_nothing_is_missing_of_exactly_those_that_would_take_it(run: RunFacts, agents: list[AgentFacts]) -> None:
    needed = hosts.needed(run.labels, [agent.host for agent in agents])
    fit = [agent for agent in agents if not missing(run, "ours", needed, agent, NOW)]
    assert bool(fit) == (taken(run, Situation(NOW, agents)).code in ("soon", "agents_full"))


def test_each_thing_that_is_missing_is_said_with_what_to_do() -> None:
    run = RunFacts(
        state_type="SCHEDULED",
        state_name="Scheduled",
        scheduled_time=NOW,
        labels=frozenset({"gpu", "on-host:a"}),
        project_id=OURS,
        kind="docker",
        storage="git",
    )
    agent = AgentFacts(
        frozenset(), 2, 0, "draining", NOW, projects=frozenset({THEIRS}), name="edge", project_names=("theirs",)
    )
    found = missing(run, "ours", run.labels, agent, NOW)
    assert [(part.code, *part.values) for part in found] == [
        ("label", "gpu"),
        ("host", "a"),
        ("project", "ours"),
        ("kind", "docker"),
        ("storage", "git"),
        ("draining",),
    ]
    assert found[0].sentence == "It lacks gpu; start it with --label gpu, too."
    assert found[2].sentence == "It takes the runs of theirs alone; start it with --project ours, too."


@pytest.mark.parametrize("drained", [False, True])
def test_an_agent_that_was_drained_is_drained_when_it_comes_back(drained: bool) -> None:
    state = "online"
    for moves in [DRAINS] * drained + [SIGNS_OFF, DRAINS, SIGNS_OFF, ENROLS]:
        state = moves.get(state, state)
    assert is_draining(state) and state not in GONE
    assert RESUMES[state] == "online"
    assert ENROLS[RESUMES[SIGNS_OFF[state]]] == "online"
