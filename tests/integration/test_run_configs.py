"""Run configs beside the code's: of a flow, a schedule and a run, merged, kept with their origins, and given to agents that can start them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from appliance.protocol.agents import CodeGone, Enrol, Provided
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registered, Registration, SetFlowDefaults
from appliance.protocol.schedules import EditSchedule
from appliance.server.actions import agents, concurrency, deploys, flows, schedules
from appliance.server.actions.flow_defaults import set_defaults
from appliance.server.actions.flow_runs.create import create_run
from appliance.server.db.session import Database
from appliance.server.errors import Invalid
from tests.integration.builders import (
    AGENT,
    ALICE,
    MINUTELY,
    YEARLY,
    N,
    claim,
    create,
    document,
    enrol,
    one,
    register,
    rows,
    run_row,
    waits,
)
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

REGION = {"name": "region", "required": False, "default": "us", "schema": {"type": "string"}}


def registered(
    db: Database, run_config: dict[str, Any] | None = None, storage: str = "local", **parts: Any
) -> Registered:
    doc = document(**parts)
    doc["run_config"] = run_config or doc["run_config"]
    request = Registration(
        project="demo", name="etl", content_hash="0" * 64, document=doc, storage={"type": storage, "path": "/f/etl.py"}
    )
    return flows.register(db, ALICE, request)


def agent_of(db: Database, type: Any, storages: list[str] | None = None, **fields: Any) -> UUID:
    return agents.enrol(db, AGENT, Enrol(name=f"a-{type}", type=type, storages=storages, **fields)).agent_id


def stored(db: Database, run: UUID, column: str = "run_config") -> Any:
    value = run_row(db, run)[column]
    return json.loads(value) if isinstance(value, str) else value


def defaults(db: Database, flow_id: UUID, **fields: Any) -> None:
    set_defaults(db, ALICE, flow_id, SetFlowDefaults(**fields))


@pytest.mark.parametrize("limited", [False, True])
def test_an_agent_gets_only_runs_of_its_kind(database: Database, limited: bool) -> None:
    flow = registered(database).flow_id
    if limited:
        concurrency.put(database, ALICE, "flow", "demo/etl", 50)
    kinds = ("universal", "process", "local", "docker", "kubernetes")
    made = {kind: create(database, flow, run_config={"type": kind}) for kind in kinds}
    earlier = enrol(database, "of the release before")
    assert {work.flow_run_id for work in claim(database, earlier, slots=9)} == {made["universal"], made["local"]}
    assert claim(database, agent_of(database, "kubernetes", ["local"]), slots=1)[0].flow_run_id == made["kubernetes"]
    assert [work.flow_run_id for work in claim(database, agent_of(database, "docker", ["local"]), slots=9)] == [
        made["docker"]
    ]
    assert [work.flow_run_id for work in claim(database, agent_of(database, "process", ["local"]), slots=9)] == [
        made["process"]
    ]


def test_a_kind_that_nobody_starts_is_said_when_it_is_registered_and_when_a_run_is_created(site: Site) -> None:
    agent = agent_of(site.database, "process", ["local"])
    sentence = "No live agent starts Docker runs."
    answer = registered(site.database, {"type": "docker", "image": "etl:1"})
    assert answer.warnings == [f"{sentence} Runs wait until one does."]
    assert answer.warnings[0] in str(answer)
    body = {"flow_id": str(answer.flow_id)}
    run = site.post("/api/v1/flow-runs", body).json()
    assert run["warnings"] == answer.warnings and run["run_config"]["image"] == "etl:1"
    made = waits(site.database, UUID(run["id"]))
    assert made is not None and (made.code, made.sentence) == ("no_kind", sentence)
    assert claim(site.database, agent) == []
    query = "mutation($input: CreateFlowRunInput!) { createFlowRun(input: $input) { warnings } }"
    created = site.data(query, input={"flowId": str(answer.flow_id)})["createFlowRun"]
    assert created == {"warnings": answer.warnings}
    waiting = site.data("query($id: UUID!) { flowRun(id: $id) { waitCode waitReason } }", id=run["id"])["flowRun"]
    assert waiting == {"waitCode": "no_kind", "waitReason": sentence}
    assert site.data("query($id: UUID!) { flow(id: $id) { warnings } }", id=str(answer.flow_id))["flow"] == {
        "warnings": answer.warnings
    }
    agent_of(site.database, "docker", ["local"])
    assert registered(site.database, {"type": "docker", "image": "etl:1"}).warnings == []


def test_labels_secrets_and_storages_that_are_missing_are_said_when_a_flow_is_registered(database: Database) -> None:
    assert registered(database, secrets=["TOKEN"], labels=["gpu"]).warnings == [
        "Project demo has no secret 'TOKEN'; set it with `appliance secret set TOKEN --project demo` or on the page Secrets, unless agents have "
        "it in their environment."
    ]  # nobody is online, so that nothing can be said of labels
    agent_of(database, "process", ["local"], labels=["etl"])
    assert registered(database, labels=["gpu", "etl"]).warnings == [
        "No live agent has label gpu; the closest, a-process, lacks gpu. Runs wait until one does."
    ]
    agent_of(database, "process", ["git"])
    assert registered(database).warnings == [
        "No live agent that could start the run takes code that stays in files; for Docker agents, register it as a bundle. Runs wait until "
        "one does."
    ]
    run = create(database, registered(database).flow_id)
    made = waits(database, run)
    assert made is not None and made.code == "no_storage"
    assert claim(database, agent_of(database, "process", ["git"])) == []
    assert claim(database, agent_of(database, "process", ["git", "local"]))[0].flow_run_id == run


@pytest.mark.parametrize(
    ("asked", "refused", "code", "sentence"),
    [
        ({"user": "etl"}, Provided(users=["web"]), "no_user", "No live agent starts such runs as user 'etl': list "),
        ({"python": "3.12"}, Provided(pythons=["3.11", "3.13"]), "no_python", "No live agent that could start the run has Python 3.12: "),
        ({"python": "/opt/python"}, Provided(pythons=["3.11"]), "no_python", "No live agent that could start the run may use /opt/python: "),
        ({"requirements": ["a==1"]}, Provided(), "no_python", "No live agent that could start the run makes environments for flows: "),
    ],
)  # fmt: skip
def test_what_no_live_agent_provides_is_said_and_runs_wait_for_one_that_does(
    site: Site, asked: dict[str, Any], refused: Provided, code: str, sentence: str
) -> None:
    db, able = site.database, Provided(users=["etl"], pythons=["3.12", "/opt/python"])
    lacking = agent_of(db, "process", ["local"], provided=refused)
    config = {"type": "process", **asked}
    answer = registered(db, config)
    [warning] = answer.warnings
    assert warning.startswith(sentence) and warning.endswith(" Runs wait until one does.")
    run = site.post("/api/v1/flow-runs", {"flow_id": str(answer.flow_id)}).json()
    assert run["warnings"] == [warning]
    made = waits(db, UUID(run["id"]))
    assert made is not None and (made.code, f"{made.sentence} Runs wait until one does.") == (code, warning)
    other = create(db, registered(db, {"type": "process"}).flow_id)
    assert [work.flow_run_id for work in claim(db, lacking, slots=9)] == [other], "one that asks for nothing"
    agents.enrol(db, AGENT, Enrol(name="b", type="process", storages=["local"], provided=able))
    assert registered(db, config).warnings == []
    shown = {agent["name"]: agent for agent in site.get("/api/v1/agents").json()["items"]}
    assert (shown["b"]["users"], shown["b"]["pythons"]) == (["etl"], ["3.12", "/opt/python"])
    silent = agents.enrol(db, AGENT, Enrol(name="c", type="process", storages=["local"])).agent_id
    assert claim(db, silent)[0].flow_run_id == UUID(run["id"]), "it has not said what it provides"


def test_limits_above_those_of_all_agents_are_said(database: Database) -> None:
    config = {"type": "process", "limits": {"memory": "2Gi", "open_files": 4096}}
    agent_of(database, "process", ["local"], provided=Provided(limits={"open_files": 1024}))
    [warning] = registered(database, config).warnings
    assert warning.startswith("The limit open_files=4096 is more than processes of any live agent that could start ")
    assert "which is 1024: runs are paused until" in warning
    agents.enrol(database, AGENT, Enrol(name="b", type="process", storages=["local"], provided=Provided()))
    assert registered(database, config).warnings == []


def test_who_would_take_a_run_of_a_user_or_in_a_python(site: Site) -> None:
    agent_of(site.database, "process", ["local"], provided=Provided(users=["web"], pythons=["3.11"]))
    answer = site.get("/api/v1/agents/match?user=etl&python=3.12").json()
    assert (answer["taking"], answer["code"]) == (0, "no_user")
    assert [(part["code"], part["values"], part["sentence"]) for part in answer["agents"][0]["missing"]] == [
        ("user", ["etl"], "It starts no runs as user etl; list the user in its APPLIANCE_AGENT_USERS."),
        ("python", ["3.12"], "It has no Python 3.12; install that there, or name its interpreter in APPLIANCE_AGENT_PYTHONS."),
    ]  # fmt: skip
    query = "query($user: String, $python: String) { agentMatch(user: $user, python: $python) { taking code } }"
    asked = {"user": "web", "python": "/opt/python"}
    assert site.data(query, **asked)["agentMatch"] == {"taking": 0, "code": "no_python"}
    assert site.data("{ agents { users pythons } }")["agents"] == [{"users": ["web"], "pythons": ["3.11"]}]
    with pytest.raises(Invalid, match="at most 200 users, Pythons, and limits"):
        agent_of(site.database, "process", provided=Provided(users=["u"] * 201))


def test_what_flow_schedule_and_run_say_is_merged_in_this_order_and_kept(site: Site) -> None:
    db = site.database
    code = {"type": "process", "env": {"A": "code", "B": "code"}, "labels": ["x"], "working_dir": "/srv"}
    flow = registered(db, code | {"run_timeout": 60.0}, parameters=[N, REGION]).flow_id
    assert stored(db, create(db, flow), "overrides") is None
    defaults(db, flow, parameters={"region": "eu"}, run_config={"env": {"B": "flow", "C": "flow"}}, labels=["y"])
    run = create(db, flow, run_config={"env": {"C": "run"}, "working_dir": "/tmp"}, parameters={"n": 1})
    assert stored(db, run) == code | {
        "env": {"A": "code", "B": "flow", "C": "run"},
        "working_dir": "/tmp",
        "run_timeout": 60.0,
    }
    assert stored(db, run, "labels") == ["y"] and stored(db, run, "parameters") == {"n": 1, "region": "eu"}
    view = site.get(f"/api/v1/flow-runs/{run}").json()
    assert view["origins"] == {
        "type": "code", "run_timeout": "code", "working_dir": "run", "labels": "flow",
        "env.A": "code", "env.B": "flow", "env.C": "run",
    }  # fmt: skip
    assert view["run_config"]["env"] == dict.fromkeys("ABC", "(not shown)")
    query = "query($id: UUID!) { flowRun(id: $id) { runConfig { kind labelsOrigin parametersOfFlow fields { name value origin } } } }"
    shown = site.data(query, id=str(run))["flowRun"]["runConfig"]
    assert (shown["kind"], shown["labelsOrigin"], shown["parametersOfFlow"]) == ("process", "flow", ["region"])
    assert {"name": "env.C", "value": "(not shown)", "origin": "run"} in shown["fields"]
    assert {"name": "working_dir", "value": "/tmp", "origin": "run"} in shown["fields"]


def test_a_run_config_of_another_kind_replaces_all_but_the_timeout(database: Database) -> None:
    flow = registered(database, {"type": "local", "env": {"A": "1"}, "run_timeout": 5.0}).flow_id
    run = create(database, flow, run_config={"type": "docker", "image": "etl:2", "labels": ["big"], "env": {}})
    assert stored(database, run) == {"type": "docker", "image": "etl:2", "run_timeout": 5.0}
    assert stored(database, run, "labels") == ["big"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"type": "docker", "privileged": True}, "run config is not valid"),
        ({"image": "etl"}, "run config is not valid"),
        ({"env": {"PATH": "/"}}, "env can't set PATH"),
        ({"run_timeout": 5}, "set the run timeout of the flow"),
        ({"labels": "gpu"}, "must be a list of strings"),
        ({"env": {"GIT_SSH": "x"}}, "env can't set GIT_SSH"),
        ({"working_dir": "/secret"}, "/secret"),
    ],
)
def test_what_no_agent_could_start_is_refused_at_once(
    database: Database, config: dict[str, Any], sentence: str
) -> None:
    flow = registered(database).flow_id
    agent_of(database, "process", ["local"], env_names=["*"], roots=["/f"])
    with pytest.raises(Invalid, match=sentence):
        create_run(database, ALICE, CreateFlowRun(flow_id=flow, run_config=config))
    with pytest.raises(Invalid, match=sentence):
        defaults(database, flow, run_config=config)
    assert rows(database, "select id from flow_run") == []


def test_runs_of_a_schedule_have_its_run_config_and_follow_edits(site: Site) -> None:
    db = site.database
    flow = registered(db, schedules=[MINUTELY | {"run_config": {"env": {"A": "schedule"}}}]).flow_id
    schedule = UUID(str(one(db, "select id from schedule")["id"]))
    assert registered(db, schedules=[MINUTELY | {"run_config": {"env": {"A": "schedule"}}}]).schedules == []
    planned = [UUID(str(row["id"])) for row in rows(db, "select id from flow_run")]
    assert {stored(db, run)["env"]["A"] for run in planned} == {"schedule"}
    schedules.change(db, ALICE, schedule, EditSchedule(run_config={"env": {"A": "(not shown)", "B": "edited"}}))
    planned = [UUID(str(row["id"])) for row in rows(db, "select id from flow_run")]
    assert stored(db, planned[0])["env"] == {"A": "schedule", "B": "edited"}
    assert stored(db, planned[0], "overrides") == {
        "schedule": {"run_config": {"env": {"A": "schedule", "B": "edited"}}}
    }
    view = site.get(f"/api/v1/schedules/{schedule}").json()
    assert view["run_config"] == {"env": {"A": "(not shown)", "B": "(not shown)"}}
    assert [(edit["field"], edit["code"]) for edit in view["edits"]] == [("run_config", {"env": {"A": "(not shown)"}})]
    with pytest.raises(Invalid, match="beside its run config"):
        schedules.create(db, ALICE, flow, YEARLY | {"run_config": {"labels": ["gpu"]}})


def test_a_run_keeps_what_its_request_said_when_it_moves_to_a_new_version(database: Database) -> None:
    flow = registered(database, {"type": "local", "env": {"A": "old"}}).flow_id
    run = create(database, flow, run_config={"env": {"B": "run"}})
    agent = enrol(database)
    assert claim(database, agent)[0].run_config["env"] == {"A": "old", "B": "run"}
    registered(database, {"type": "local", "env": {"A": "new"}})
    gone = CodeGone(flow_run_id=run, attempt=1, reason="The file has changed.")
    assert deploys.take_back(database, AGENT, agent, gone).taken_back
    assert stored(database, run)["env"] == {"A": "new", "B": "run"}


def test_defaults_of_a_flow_reach_planned_runs_and_are_audited(site: Site) -> None:
    db = site.database
    flow = registered(db, schedules=[MINUTELY], parameters=[N, REGION]).flow_id
    body = {"parameters": {"region": "eu"}, "run_config": {"env": {"A": "1"}}, "reason": "moved"}
    answer = site.client.put(f"/api/v1/flows/{flow}/defaults", json=body, headers=site.headers("operator"))
    assert answer.json()["defaults"] == {
        "parameters": {"region": "eu"},
        "labels": None,
        "run_config": {"env": {"A": "(not shown)"}},
    }
    planned = [UUID(str(row["id"])) for row in rows(db, "select id from flow_run")]
    assert planned and {stored(db, run, "parameters")["region"] for run in planned} == {"eu"}
    told = rows(db, "select data from event where kind = 'flow.defaults'")
    assert "moved" in str(told[0]["data"]) and "run_config" in str(told[0]["data"])
    query = "mutation($input: SetFlowDefaultsInput!) { setFlowDefaults(input: $input) { flow { defaults { parameters labels runConfig } } } }"
    fields = {"flowId": str(flow), "labels": ["big"], "runConfig": {"env": {"A": "(not shown)"}}}
    shown = site.data(query, input=fields)["setFlowDefaults"]["flow"]["defaults"]
    assert shown == {"parameters": {}, "labels": ["big"], "runConfig": {"env": {"A": "(not shown)"}}}
    run = create(db, flow)
    assert (stored(db, run)["env"], stored(db, run, "labels")) == ({"A": "1"}, ["big"])
    assert stored(db, run, "parameters")["region"] == "us"
    denied = site.client.put(f"/api/v1/flows/{flow}/defaults", json={}, headers=site.headers("viewer"))
    assert denied.status_code == 403


def test_defaults_must_fit_the_newest_version_and_those_it_drops_are_said(database: Database) -> None:
    required = {"name": "day", "required": True, "schema": {"type": "string"}}
    flow = registered(database, parameters=[N, REGION, required]).flow_id
    with pytest.raises(Invalid, match="'n' must be an integer"):
        defaults(database, flow, parameters={"n": "many"})
    with pytest.raises(Invalid, match="has no parameter 'regio'"):
        defaults(database, flow, parameters={"regio": "eu"})
    defaults(database, flow, parameters={"region": "eu"})
    answer = registered(database, parameters=[N])
    assert answer.warnings == [
        "The flow has a default for parameter 'region', which version 2 does not have; remove it from the flow's defaults."
    ]
    assert stored(database, create(database, flow), "parameters") == {"n": 0}


def test_an_agent_says_which_storages_it_knows_and_what_it_found_wrong(site: Site) -> None:
    agent_of(site.database, "process", ["local", "git"], problems=["Runs can't store their results: no."])
    enrol(site.database, "of the release before")
    listed = {agent["name"]: agent for agent in site.get("/api/v1/agents").json()["items"]}
    assert listed["a-process"]["storages"] == ["git", "local"]
    assert listed["a-process"]["problems"] == ["Runs can't store their results: no."]
    assert (listed["of the release before"]["storages"], listed["of the release before"]["problems"]) == (None, [])
    shown = site.data("{ agents { name storages problems } }")["agents"]
    assert {"name": "of the release before", "storages": None, "problems": []} in shown
    with pytest.raises(Invalid, match="at most 50 storages"):
        agent_of(site.database, "process", ["Not A Type"])
    register(site.database, "other")
