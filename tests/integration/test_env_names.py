"""A registration that sets a variable that no agent would set is refused at once, with the way to change that."""

from __future__ import annotations

import pytest

from appliance.protocol.agents import Enrol
from appliance.protocol.flows import Registered, Registration
from appliance.server.actions import agents, flows
from appliance.server.db.session import Database
from appliance.server.errors import Invalid
from tests.integration.builders import ALICE, document
from tests.integration.server_fixtures import Site


def enrol(database: Database, name: str, env_names: list[str] | None, labels: list[str] | None = None) -> None:
    agents.enrol(database, ALICE, Enrol(name=name, type="process", env_names=env_names, labels=labels or []))


def send(database: Database, *names: str, labels: list[str] | None = None) -> Registered:
    doc = document()
    doc["run_config"] = {"type": "local", "env": dict.fromkeys(names, "x"), "labels": labels or []}
    storage = {"type": "local", "path": "/flows/etl.py", "flow": "etl", "sha256": "0" * 64}
    request = Registration(project="demo", name="etl", content_hash="0" * 64, document=doc, storage=storage)
    return flows.register(database, ALICE, request)


def test_a_name_that_no_agent_opens_is_refused_with_the_option_that_opens_it(database: Database) -> None:
    enrol(database, "here", ["*"])
    with pytest.raises(Invalid, match=r"env can't set GIT_SSH: for agent 'here', it can .*--env-name '\*,GIT_SSH'"):
        send(database, "TEAM", "GIT_SSH")
    enrol(database, "here", ["APP_*", "GIT_SSH"])
    assert send(database, "APP_ONE", "GIT_SSH").created
    with pytest.raises(Invalid, match="it is none of the names"):
        send(database, "TEAM")
    enrol(database, "here", [])
    with pytest.raises(Invalid, match=r"env can't set TEAM: .* \(none\)"):
        send(database, "TEAM")


def test_without_agents_or_with_one_that_does_not_say_it_is_registered(database: Database) -> None:
    assert send(database, "HOME").created
    enrol(database, "here", ["*"])
    with pytest.raises(Invalid, match="env can't set HOME"):
        send(database, "HOME")
    enrol(database, "of the release before", None)
    assert send(database, "HOME", "TEAM").created


def test_it_suffices_that_one_agent_opens_all_names_and_only_agents_with_the_labels_count(database: Database) -> None:
    enrol(database, "here", ["HOME", "A"])
    enrol(database, "there", ["TMPDIR", "A"], ["gpu"])
    assert send(database, "A", "TMPDIR").created
    with pytest.raises(Invalid, match="env can't set "):
        send(database, "HOME", "TMPDIR")
    with pytest.raises(Invalid, match="env can't set HOME: for agent 'there'"):
        send(database, "HOME", labels=["gpu"])


def test_an_agent_publishes_its_patterns(site: Site) -> None:
    enrol(site.database, "here", ["APP_*", "HOME"])
    enrol(site.database, "of the release before", None)
    listed = {agent["name"]: agent["env_names"] for agent in site.get("/api/v1/agents").json()["items"]}
    assert listed["here"] == ["APP_*", "HOME"] and listed["of the release before"] is None
    answer = site.data("{ agents { name envNames } }")
    assert {"name": "here", "envNames": ["APP_*", "HOME"]} in answer["agents"]


@pytest.mark.parametrize("names", [["A B"], ["*A"], ["A" * 300], [f"A{number}" for number in range(201)]])
def test_patterns_of_another_form_are_refused(database: Database, names: list[str]) -> None:
    with pytest.raises(Invalid, match="The agent's list of environment variables "):
        enrol(database, "here", names)
