"""How large a flow may be, and how much a run may report."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from appliance.kit import clock, effort
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registration
from appliance.schedules import recurrence
from appliance.server.actions import flows, log_budget, run_protocol
from appliance.server.actions.flow_runs import create
from appliance.server.auth.callers import RequestCredentials, identify
from appliance.server.db.session import Database
from appliance.server.domain import parameters
from appliance.server.domain.graphs import has_cycle
from appliance.server.domain.rules import Rules
from appliance.server.errors import Invalid
from tests.integration import builders
from tests.integration.server_fixtures import Site, claim

CHAIN = 5_000


def _document(slugs: list[str], edges: list[tuple[str, str]]) -> dict[str, Any]:
    return builders.document() | {
        "tasks": [{"slug": slug, "name": slug, "tags": [], "mapped": False} for slug in slugs],
        "edges": [
            {"upstream": upstream, "downstream": downstream, "key": None, "mapped": False, "flattened": False}
            for upstream, downstream in edges
        ],
        "reference_tasks": [],
    }


def _register(database: Database, document: dict[str, Any]) -> Any:
    request = Registration(
        project="demo", name="big", content_hash="0" * 64, document=document, storage={"type": "local"}
    )
    return flows.register(database, builders.ALICE, request)


def test_a_flow_has_at_most_five_thousand_tasks(database: Database) -> None:
    slugs = [f"task-{number}" for number in range(CHAIN + 1)]
    chain = list(itertools.pairwise(slugs))
    assert _register(database, _document(slugs[:-1], chain[:-1])).created
    with pytest.raises(Invalid, match="5,001 tasks, and at most 5,000 are allowed"):
        _register(database, _document(slugs, chain))
    database.rules = Rules(flow_tasks=CHAIN + 1)
    assert _register(database, _document(slugs, chain)).created


def test_the_largest_flow_comes_over_http_and_one_with_more_dependencies_is_refused(site: Site) -> None:
    slugs = [f"task-number-{number}" for number in range(5_000)]
    edges = [(slugs[number], slugs[number + step]) for step in (1, 2, 3, 4) for number in range(5_000 - step)]
    edges += edges[: 20_000 - len(edges)]
    body = {"project": "demo", "name": "big", "content_hash": "0" * 64, "storage": {"type": "local"}}
    said = {
        "type": "Task",
        "max_retries": 0,
        "retry_delay": None,
        "timeout": None,
        "trigger": "all_successful",
        "auto_generated": False,
    }
    document = _document(slugs, edges)
    document["tasks"] = [task | said for task in document["tasks"]]
    for address in ("preview", ""):
        answer = site.post(f"/api/v1/flows/{address}", body | {"document": document}, "operator")
        assert answer.status_code in (200, 201), answer.text
    document["edges"].append(document["edges"][0])
    refused = site.post("/api/v1/flows/", body | {"document": document}, "operator")
    assert refused.status_code == 400
    assert "20,001 dependencies between its tasks, and at most 20,000 are allowed" in refused.json()["message"]
    headers = site.headers("operator") | {"content-type": "application/json"}
    beyond = site.client.post("/api/v1/flows/", content=b" " * (50 * 1024**2), headers=headers)
    assert beyond.status_code == 413


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edges": [{"upstream": "a"}]}, "missing required field `downstream`"),
        ({"edges": [{"upstream": "a", "downstream": "z"}]}, "names a task that the flow does not have"),
        ({"tasks": [{"slug": "a"}], "reference_tasks": ["z"]}, "reference task 'z'"),
        ({"tasks": [{"slug": "a"}, {"slug": "a"}]}, "the same slug"),
        ({"tasks": [{}]}, "missing required field `slug`"),
        ({"tasks": {"a": 1}}, "Expected `array`"),
    ],
)
def test_a_graph_that_does_not_hold_together_is_refused(
    database: Database, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence):
        _register(database, _document(["a", "b"], []) | change)


@pytest.mark.parametrize("edges", [[("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "b")]])
def test_no_task_waits_for_itself(database: Database, edges: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid, match="in a circle"):
        _register(database, _document(["a", "b", "c"], edges))


def test_circles_are_found_in_linear_time() -> None:
    chain = [(f"{number}", f"{number + 1}") for number in range(100_000)]
    assert not has_cycle(chain) and has_cycle([*chain, ("100000", "0")])
    assert not has_cycle([("a", "c"), ("b", "c"), ("a", "b"), ("a", "c")]) and not has_cycle([])


@pytest.mark.parametrize("slug", ["a\nb", "a\x1b[2J", "a\0", "a\u202eb"])
def test_a_slug_stays_on_its_line(database: Database, slug: str) -> None:
    with pytest.raises(Invalid, match="slug contains"):
        _register(database, _document([slug], []))


def test_a_task_that_is_not_mapped_has_no_children(database: Database) -> None:
    run, _agent = builders.begun(database)
    children = [builders.task("extract-1", "SUCCESS", "Success", map_index=number) for number in range(3)]
    builders.send(database, run, 1, *children, builders.task("extract-1", "SUCCESS", "Success"))
    assert [row["map_index"] for row in builders.rows(database, "select map_index from task_run")] == [-1]
    line = builders.one(database, "select message from log")
    assert "'extract-1'. Register the flow again." in line["message"]


def test_tasks_that_the_flow_does_not_have_are_not_kept(database: Database) -> None:
    run, _agent = builders.begun(database)
    invented = [builders.task(f"invented-{number}", "RUNNING", "Running") for number in range(4_990)]
    children = [builders.task("load-1", "RUNNING", "Running", map_index=index) for index in range(5)]
    answer = builders.send(database, run, 1, *invented, *children, builders.task("extract-1", "SUCCESS", "Success"))
    assert answer.acked == 1
    stored = builders.rows(database, "select task_slug from task_run")
    assert sorted(row["task_slug"] for row in stored) == ["extract-1", *["load-1"] * 5]
    (line,) = builders.rows(database, "select message from log")
    assert "'invented-0', 'invented-1', 'invented-10', and others. Register the flow again." in line["message"]


def test_a_run_has_at_most_so_many_children_and_states_of_a_task(database: Database) -> None:
    database.rules = Rules(mapped_children=3, task_run_states=4)
    run, _agent = builders.begun(database)
    children = [builders.task("load-1", "RUNNING", "Running", map_index=index) for index in range(5)]
    looping = [builders.task("extract-1", "RUNNING", f"Loop {number}") for number in range(9)]
    assert builders.send(database, run, 1, *children, *looping).acked == 1
    assert builders.send(database, run, 2, *looping, builders.task("extract-1", "SUCCESS", "Success")).acked == 2
    stored = builders.rows(
        database, "select task_slug, version, state_name from task_run order by task_slug, map_index"
    )
    assert [tuple(row.values()) for row in stored] == [("extract-1", 5, "Success"), *[("load-1", 1, "Running")] * 3]
    messages = [row["message"] for row in builders.rows(database, "select message from log order by id")]
    assert "3 children are kept, and no further ones of 'load-1'" in messages[0]
    assert all("APPLIANCE_TASK_RUN_STATES" in message for message in messages[1:]) and len(messages) == 3


def test_a_slug_that_does_not_stay_on_its_line_is_refused(database: Database) -> None:
    run, _agent = builders.begun(database)
    for event in (builders.task("a\nb", "RUNNING", "Running"), builders.line("text", slug="a\x1b[2J")):
        with pytest.raises(Invalid, match="slug contains control characters"):
            builders.send(database, run, 1, event)


def test_the_log_of_a_run_is_bounded_in_a_minute(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: moment)
    monkeypatch.setattr(run_protocol, "_budget", log_budget.LogBudget())
    database.rules = Rules(run_log_bytes_per_minute=1_000)
    run, _agent = builders.begun(database)
    for seq in (1, 2):
        builders.send(database, run, seq, *(builders.line("ä" * 100) for _ in range(10)))
    lines = [row["message"] for row in builders.rows(database, "select message from log order by id")]
    assert lines[:5] == ["ä" * 100] * 5 and len(lines) == 6
    assert "more than 1,000 bytes of log in a minute" in lines[5]
    moment += log_budget.MINUTE
    builders.send(database, run, 3, builders.line("again"))
    assert builders.rows(database, "select message from log order by id desc limit 1")[0]["message"] == "again"


def test_what_takes_long_to_check_is_checked_before_the_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    defs = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(10)} | {"d10": {"type": "integer"}}
    schema = {"type": "array", "items": {"$ref": "#/$defs/d0"}, "$defs": defs}
    flow = _register(
        database, builders.document() | {"parameters": [{"name": "n", "required": True, "schema": schema}]}
    )
    remember, checked = parameters._remember, []

    def outside(*arguments: Any) -> None:
        assert effort.left() is None
        database.check_writable()  # nobody waits for us
        checked.append(arguments)
        remember(*arguments)

    monkeypatch.setattr(parameters, "_remember", outside)
    for value in ([1] * 100, ["x"] * 100):
        with pytest.raises(Invalid, match="can't be checked: its schema takes too many steps"):
            create.create_run(database, builders.ALICE, CreateFlowRun(flow_id=flow.flow_id, parameters={"n": value}))
    few = {"n": [1] * 3}
    assert create.create_run(database, builders.ALICE, CreateFlowRun(flow_id=flow.flow_id, parameters=few)).row
    assert len(checked) == 3


def test_the_schedules_of_a_flow_are_few_and_computed_before_the_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = {"kind": "rrule", "rrule": "FREQ=MONTHLY;BYMONTH=2;BYDAY=5MO"}
    times = recurrence.Rule.walls

    def outside(rule: recurrence.Rule, start: Any, after: Any) -> Any:
        database.check_writable()  # nobody waits for us
        return times(rule, start, after)

    monkeypatch.setattr(recurrence.Rule, "walls", outside)
    assert _register(database, builders.document() | {"schedules": [rare]}).created
    with pytest.raises(Invalid, match="more than 100 schedules"):
        _register(database, builders.document() | {"schedules": [rare | {"labels": [str(n)]} for n in range(101)]})
    slow = [
        rare | {"rrule": rare["rrule"] + f";BYHOUR={hour};BYMINUTE={minute}"}
        for hour in range(20)
        for minute in (1, 2, 3, 4, 5)
    ]
    with pytest.raises(Invalid, match="take too long to compute"):
        _register(database, builders.document() | {"schedules": slow})


def test_a_flow_has_at_most_a_thousand_parameters(database: Database) -> None:
    with pytest.raises(Invalid, match="more than 1,000 parameters"):
        _register(database, builders.document() | {"parameters": [{"name": f"n{number}"} for number in range(1_001)]})


def test_a_reader_doesn_t_wait_for_a_writer(database: Database) -> None:
    """The last use of a token is recorded, unless another writer is at work."""
    secret = claim(database)["viewer"]
    if database.dialect != "sqlite":
        return
    with database.write(), ThreadPoolExecutor(1) as thread:
        caller = thread.submit(identify, database, RequestCredentials(f"Bearer {secret}"), clock.now())
        assert caller.result(timeout=10) is not None


def test_the_limits() -> None:
    assert (Rules().flow_tasks, Rules().run_log_bytes_per_minute, log_budget.MINUTE) == (5_000, 64 * 1024**2, 60)
    assert (Rules().mapped_children, Rules().task_run_states) == (250_000, 10_000)
