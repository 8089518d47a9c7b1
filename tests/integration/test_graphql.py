"""GraphQL: what the UI asks, what is refused, and that the fast executor answers as graphql-core's own does."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from graphql import GraphQLObjectType, execute, get_named_type, is_leaf_type, is_required_argument, parse
from litestar.testing import TestClient
from sqlalchemy import event
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from appliance.config import Settings
from appliance.kit import clock
from appliance.server.actions import concurrency as limits_of_runs
from appliance.server.actions import disk, maintenance
from appliance.server.app import create_app
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database
from appliance.server.graphql import limits, schema
from appliance.server.graphql.body import MAX_BODY
from appliance.server.graphql.context import Context
from appliance.server.graphql.execution import FastExecutor
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, claim

__all__ = ["database", "site"]

RUN = """query($id: UUID!) { flowRun(id: $id) { id name trigger createdBy attempt waitReason parameters labels
  flow { name project { name flowCount } paused version { number parameters { name required default schema } edges { upstream key mapped }
    tasks { slug tags mapped } } schedules { id catchUp catchUpCap catchUpWindow overlap } nextRun { id } recentRuns(first: 5) { id state { type } } }
  state { type name message version data } states { version type actor } taskCounts { total success failed running waiting other }
  errorCount logCount agent { name health running labels }
  cause { taskSlug mapIndex message location attempts notRun otherRoots exitCode signal tail lastSuccess firstErrorLogId } } }"""


def _run(site: Site, run: Any) -> Any:
    return site.data(RUN, "viewer", id=str(run))["flowRun"]


def test_a_run_with_all_that_its_page_shows(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(
        site.database, run, 1, builders.task("extract-1", "RUNNING", "Running", run_count=1), builders.line("hello")
    )
    shown = _run(site, run)
    assert shown["state"]["type"] == "RUNNING" and shown["trigger"] == "alice" and shown["attempt"] == 1
    assert shown["flow"]["project"] == {"name": "demo", "flowCount": 1}
    assert shown["flow"]["version"]["edges"] == [{"upstream": "extract-1", "key": "rows", "mapped": True}]
    assert [state["version"] for state in shown["states"]] == [1, 2, 3]
    assert shown["taskCounts"]["running"] == 1 and shown["logCount"] == 1 and shown["errorCount"] == 0
    assert (
        shown["agent"]["name"] == "embedded" and shown["agent"]["health"] == "online" and shown["agent"]["running"] == 1
    )
    assert shown["cause"] is None and shown["waitReason"] is None


COUNTS = "query($id: UUID!) { flowRun(id: $id) { taskCounts { total success failed running waiting other } } }"


def test_tasks_that_are_still_to_come_count_as_waiting_until_the_run_ends(site: Site) -> None:
    run, _agent = builders.begun(site.database)  # of two tasks: extract-1, and load-1, which is mapped

    def counts() -> dict[str, int]:
        shown = site.data(COUNTS, id=str(run))["flowRun"]["taskCounts"]
        return {name: number for name, number in shown.items() if number}

    assert counts() == {"total": 2, "waiting": 2}
    builders.send(site.database, run, 1, builders.task("extract-1", "SUCCESS", "Success"))
    assert counts() == {"total": 2, "success": 1, "waiting": 1}
    children = (builders.task("load-1", "RUNNING", "Running", map_index=index) for index in range(3))
    builders.send(site.database, run, 2, *children)
    assert counts() == {"total": 5, "success": 1, "running": 3, "waiting": 1}  # the children and, once, their parent
    builders.send(site.database, run, 3, builders.task("load-1", "RUNNING", "Mapped"))
    assert counts() == {"total": 5, "success": 1, "running": 4}

    ended, _agent = builders.begun(site.database)
    run = ended
    builders.send(
        site.database, run, 1, builders.task("extract-1", "FAILED", "Failed"), builders.flow("FAILED", "Failed")
    )
    assert counts() == {"total": 1, "failed": 1}


def test_the_cause_is_what_failed_by_itself(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    data = {"exception": "ValueError", "location": "etl.py:7 in extract"}
    builders.send(
        site.database,
        run,
        1,
        builders.task("load-1", "FAILED", "TriggerFailed", message="upstream"),
        builders.task("extract-1", "FAILED", "Failed", message="ValueError: no", data=data, run_count=3),
        builders.line("ValueError: no", "ERROR"),
        builders.flow("FAILED", "Failed", message="some failed"),
    )
    cause = _run(site, run)["cause"]
    assert (cause["taskSlug"], cause["message"], cause["attempts"]) == ("extract-1", "ValueError: no", 3)
    assert (cause["location"], cause["notRun"], cause["otherRoots"]) == ("etl.py:7 in extract", 1, 0)
    assert cause["mapIndex"] is None and cause["lastSuccess"] is None and cause["firstErrorLogId"] is not None


def test_why_a_run_waits(site: Site) -> None:
    flow = builders.register(site.database).flow_id
    run = builders.create(site.database, flow, labels=["gpu"])
    assert _run(site, run)["waitReason"] == "No agent is online."
    builders.enrol(site.database, "edge", labels=["cpu"])
    assert _run(site, run)["waitReason"] == "No live agent has label gpu."
    later = builders.create(site.database, flow, scheduled_time=clock.now() + timedelta(hours=1))
    assert _run(site, later)["waitReason"].startswith("Due at ")


def test_it_names_the_runs_that_a_waiting_one_waits_for(site: Site) -> None:
    working, _agent = builders.begun(site.database)
    flow = site.data("query($id: UUID!) { flowRun(id: $id) { name flow { id } } }", id=str(working))["flowRun"]
    limits_of_runs.put(site.database, Actor("user", "alice", "operator"), "flow", "demo/etl", 1)
    waiting = builders.create(site.database, UUID(flow["flow"]["id"]))
    query = "query($id: UUID!) { flowRun(id: $id) { waitCode waitHolders { id name } } }"
    assert site.data(query, id=str(waiting))["flowRun"] == {
        "waitCode": "limit",
        "waitHolders": [{"id": str(working), "name": flow["name"]}],
    }
    assert site.data(query, id=str(working))["flowRun"] == {"waitCode": None, "waitHolders": []}


def test_what_the_whole_appliance_should_know(site: Site) -> None:
    query = "{ disk { writable freeBytes totalBytes daysLeft warnings } maintenance { active until reason by } }"
    found = site.data(query, "viewer")
    assert found["disk"]["writable"] is True and found["disk"]["warnings"] == []
    assert found["maintenance"] == {"active": False, "until": None, "reason": "", "by": ""}
    maintenance.begin(site.database, Actor("user", "alice", "admin"), "new disks", None)
    assert site.data(query, "viewer")["maintenance"] == {
        "active": True,
        "until": None,
        "reason": "new disks",
        "by": "alice",
    }


def test_task_runs_show_each_attempt(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    names = [("RUNNING", "Running"), ("SCHEDULED", "AwaitingRetry"), ("RUNNING", "Running"), ("SUCCESS", "Success")]
    builders.send(site.database, run, 1, *(builders.task("extract-1", type, name) for type, name in names))
    query = "query($id: UUID!) { taskRuns(flowRunId: $id) { items { taskSlug state { name } attempts { state type end } } next } }"
    (item,) = site.data(query, id=str(run))["taskRuns"]["items"]
    assert [attempt["state"] for attempt in item["attempts"]] == ["AwaitingRetry", "Success"]


def test_logs_go_both_ways(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, *(builders.line(f"{n}", "ERROR" if n == 4 else "INFO") for n in range(6)))
    query = """query($id: UUID!, $a: String, $b: String, $f: LogFilter) {
      logs(flowRunId: $id, first: 2, after: $a, before: $b, filter: $f) { items { id message } next previous } }"""

    def page(**variables: Any) -> Any:
        return site.data(query, id=str(run), **variables)["logs"]

    first = page()
    second = page(a=first["next"])
    assert [item["message"] for item in second["items"]] == ["2", "3"]
    assert [item["message"] for item in page(b=second["previous"])["items"]] == ["0", "1"]
    assert [item["message"] for item in page(f={"minLevel": 40})["items"]] == ["4"]
    assert site.graphql(query, id=str(run), a="x", b="y")["errors"][0]["extensions"]["code"] == "invalid"


def test_mutations_act_and_show_the_result(site: Site) -> None:
    registered = builders.register(site.database, schedules=[builders.MINUTELY], parameters=[builders.N])
    create = "mutation($i: CreateFlowRunInput!) { createFlowRun(input: $i) { flowRun { id parameters createdBy state { type } } } }"
    made = site.data(create, i={"flowId": str(registered.flow_id), "parameters": {"n": 2}})["createFlowRun"]["flowRun"]
    assert made["parameters"] == {"n": 2} and made["createdBy"] == "operator"
    cancel = "mutation($i: CancelFlowRunInput!) { cancelFlowRun(input: $i) { flowRun { state { type message } } } }"
    ended = site.data(cancel, i={"flowRunId": made["id"], "reason": "enough"})["cancelFlowRun"]["flowRun"]["state"]
    assert ended == {"type": "CANCELLED", "message": "enough"}
    flow = site.data(
        "query($id: UUID!) { flow(id: $id) { schedules { id active description nextTimes } } }",
        id=str(registered.flow_id),
    )
    (schedule,) = flow["flow"]["schedules"]
    assert schedule["active"] and len(schedule["nextTimes"]) == 3 and schedule["nextTimes"][0].endswith("Z")
    pause = "mutation($i: SetScheduleActiveInput!) { setScheduleActive(input: $i) { active } }"
    assert site.data(pause, i={"scheduleId": schedule["id"], "active": False})["setScheduleActive"]["active"] is False
    for bad in ({"n": "two"}, {"m": 1}, [1]):
        answer = site.graphql(create, i={"flowId": str(registered.flow_id), "parameters": bad})
        assert answer["errors"][0]["extensions"]["code"] == "invalid"
    missing = site.graphql(create, i={"flowId": str(uuid4())})["errors"][0]
    assert missing["extensions"]["code"] == "not_found" and missing["path"] == ["createFlowRun"]


def test_a_list_asks_the_database_a_fixed_number_of_times(site: Site) -> None:
    query = """{ flowRuns(first: 50) { total items { id flow { name warnings project { name } version { number } recentRuns(first: 3) { id } nextRun { id } }
      version { number } agent { name running } taskCounts { total } errorCount waitReason cause { message lastSuccess } } } }"""

    def asked(number: int) -> int:
        for place in range(number):
            builders.create(site.database, builders.register(site.database, f"flow-{place}").flow_id)
        count = 0

        def note(*_arguments: Any) -> None:
            nonlocal count
            count += threading.current_thread().name != "broadcast"  # it watches for changes by itself

        event.listen(site.database.engine, "before_cursor_execute", note)
        try:
            site.data(query)
        finally:
            event.remove(site.database.engine, "before_cursor_execute", note)
        return count

    site.data(query)  # the token's last use is noted now, and not again for a minute
    assert asked(2) == asked(12)


BRIEF = "__typename id name attempt scheduledTime startTime endTime state { type name message at data version }"


@pytest.mark.parametrize("more", ["created", "parameters", "trigger", "...more", "... on FlowRun { labels createdBy }"])
def test_recent_runs_are_the_same_whatever_else_is_asked_of_them(site: Site, more: str) -> None:
    """Brief ones are read with fewer columns; nothing that was asked for may be among those left out."""
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, builders.flow("FAILED", "Failed"))
    builders.create(site.database, builders.register(site.database).flow_id)
    fragment = "fragment more on FlowRun { parameters createdBy }" if more == "...more" else ""
    asked = "{ flows { items { recentRuns { id } } } }"
    brief = site.data(asked.replace("id", BRIEF))["flows"]["items"]
    whole = site.data(asked.replace("id", f"{BRIEF} {more}") + fragment)["flows"]["items"]
    assert sum(len(flow["recentRuns"]) for flow in brief) >= 2
    fields = brief[0]["recentRuns"][0].keys()
    kept = [{"recentRuns": [{name: run[name] for name in fields} for run in flow["recentRuns"]]} for flow in whole]
    assert kept == brief
    extra = [run for flow in whole for run in flow["recentRuns"]]
    assert all(run[name] not in ("", None) for run in extra for name in run.keys() - fields)


def test_a_strip_holds_the_recent_runs_in_columns(site: Site) -> None:
    run, _agent = builders.begun(site.database)
    builders.send(site.database, run, 1, builders.flow("FAILED", "Failed"))
    builders.create(site.database, builders.register(site.database).flow_id)
    items = site.data(
        """{ flows { items { recentRuns(first: 50) { id name state { type name } startTime endTime }
        strip(first: 50) { ids names stateTypes stateNames startTimes endTimes } newest: strip(first: 1) { ids } } } }"""
    )["flows"]["items"]
    assert sum(len(flow["recentRuns"]) for flow in items) >= 2
    for flow in items:
        runs = flow["recentRuns"]
        assert flow["newest"]["ids"] == [run["id"] for run in runs[:1]]
        assert flow["strip"] == {
            "ids": [run["id"] for run in runs],
            "names": [run["name"] for run in runs],
            "stateTypes": [run["state"]["type"] for run in runs],
            "stateNames": [run["state"]["name"] for run in runs],
            "startTimes": [run["startTime"] for run in runs],
            "endTimes": [run["endTime"] for run in runs],
        }
    refused = site.graphql("{ flows { items { strip(first: 51) { ids } } } }")["errors"][0]
    assert refused["message"] == "The argument first must be between 1 and 50 here."


def test_schedules_in_brief_say_the_same(site: Site) -> None:
    builders.register(site.database, "timed", schedules=[builders.MINUTELY])
    brief, whole = (
        [
            flow["schedules"]
            for flow in site.data(f"{{ flows {{ items {{ schedules {{ {fields} }} }} }} }}")["flows"]["items"]
        ]
        for fields in ("id description timezone active", "id description timezone active version")
    )
    assert any(brief)
    assert brief == [[{name: one[name] for name in one.keys() - {"version"}} for one in some] for some in whole]


def test_a_fragment_of_brief_fields_reads_no_more_columns_than_the_fields(site: Site) -> None:
    builders.begun(site.database)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        site.data("{ flows { items { recentRuns { ... on FlowRun { id state { name } } } } } }")
        site.data(
            "{ flows { items { recentRuns { ...brief } } } } fragment brief on FlowRun { id ...more } fragment more on FlowRun { name }"
        )
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)
    reading = [text for text in statements if "scheduled_time DESC" in text]
    assert len(reading) == 2 and "flow_run.parameters" not in "".join(reading)


def _nested(levels: int) -> str:
    return "{ flowRuns { items { " + "flow { recentRuns { " * levels + "id" + " } }" * levels + " } } }"


REFUSED = [
    _nested(5),
    _nested(400),
    "{" + "a" * 3 + "(" * 5000 + "}",
    "{ " + " ".join(f"a{n}: me {{ role }}" for n in range(16)) + " }",
    "{ " + "me { role } " * 1000 + "}",
    "{ flowRuns(first: 200) { items { flow { recentRuns(first: 50) { id state { type } } } } } }",
    "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "{ flowRuns(first: 0) { total } }",
    "{ flowRuns(first: 201) { total } }",
    "{ flowRuns(first: 99999999999) { total } }",
    '{ flowRuns(filter: {since: "2025-01-01T00:00:00"}) { total } }',
    '{ flowRuns(filter: {since: "0001-01-01T00:00:00Z"}) { total } }',
    '{ flowRuns(after: "x") { total } }',
    '{ flow(id: "x") { id } }',
    "{ helo }",
    "query A { me { role } } query B { me { role } }",
    "subscription { me { role } }",
    "",
]


def test_documents_that_ask_too_much_or_make_no_sense_are_refused(site: Site) -> None:
    for query in REFUSED:
        answer = site.graphql(query)
        assert answer["data"] is None, query[:80]
        assert answer["errors"][0]["extensions"]["code"] == "invalid", query[:80]
        assert "Did you mean" not in answer["errors"][0]["message"]


def test_bodies_that_are_no_request_are_refused(site: Site) -> None:
    headers = site.headers("viewer") | {"Content-Type": "application/json"}
    bodies = [
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b"\xff",
        b'{"query": 1}',
        b'{"query": "{me{role}}", "variables": []}',
    ]
    for body in (*bodies, b'[{"query":"{me{role}}"}]', b'{"query":"{me{role}}","variables":{"a":NaN}}', b"[" * 100_000):
        answer = site.client.post("/graphql", content=body, headers=headers)
        assert answer.status_code == 400 and answer.json()["code"] == "invalid", body[:40]
    large = site.client.post("/graphql", content=b" " * (MAX_BODY + 1), headers=headers)
    assert large.status_code == 413


def test_long_variables_pass_and_long_documents_do_not(site: Site) -> None:
    ids = [str(uuid4()) for _ in range(10_000)]
    assert len(ids) * 39 > limits.MAX_DOCUMENT
    bulk = "mutation($input: BulkFlowRunsInput!) { bulkFlowRuns(input: $input) { job { total } } }"
    answer = site.graphql(bulk, input={"action": "DELETE", "ids": ids})
    assert answer["data"]["bulkFlowRuns"]["job"]["total"] == len(ids)
    long = "{ me { role } } #" + "x" * limits.MAX_DOCUMENT
    assert "too long" in site.graphql(long)["errors"][0]["message"]


INTROSPECTION = "{ __schema { types { name fields { name type { name ofType { name ofType { name } } } } } } }"


def test_introspection_is_off(site: Site) -> None:
    assert site.client.post("/graphql", json={"query": INTROSPECTION}).status_code == 401
    for query in (
        INTROSPECTION,
        '{ __type(name: "Flow") { name } }',
        "{ ...x } fragment x on Query { __schema { types { name } } }",
    ):
        assert "Introspection is off" in site.graphql(query, "admin")["errors"][0]["message"]
    assert site.data("{ __typename me { __typename } }") == {"__typename": "Query", "me": {"__typename": "Me"}}


def test_introspection_is_on_where_the_site_says_so_and_has_its_price(database: Database) -> None:
    app = create_app(Settings(graphql_introspection=True), database)
    with TestClient(app) as client:
        site = Site(app, client, database, claim(database))
        assert len(site.data(INTROSPECTION, "viewer")["__schema"]["types"]) > 20
        again = " ".join(f"a{number}: __schema {{ types {{ name }} }}" for number in range(5))
        assert "too much at once" in site.graphql(f"{{ {again} }}")["errors"][0]["message"]


def test_a_default_of_a_variable_counts(site: Site) -> None:
    query = "query($n: Int = 200) { flows(first: $n) { items { recentRuns(first: $n) { name } } } }"
    assert "too much at once" in site.graphql(query)["errors"][0]["message"]
    assert site.data(query, n=3) == {"flows": {"items": []}}


def test_a_variable_counts_however_its_number_is_written(site: Site) -> None:
    query = "query($n: Int) { flows(first: $n) { items { recentRuns(first: 50) { name } } } }"
    assert site.data(query, n=50.0) == {"flows": {"items": []}}
    for number in (200, 200.0):
        assert "too much at once" in site.graphql(query, n=number)["errors"][0]["message"]


@pytest.mark.parametrize(
    "query",
    [
        "{ flows(first: %s) { items { name } } }",
        "query($n: Int = %s) { flows(first: $n) { items { name } } }",
        'mutation { createFlowRun(input: {flowId: "x", parameters: {n: %s}}) { flowRun { id } } }',
        "{ flows(first: 1.%s) { items { name } } }",
    ],
)
def test_a_number_of_thousands_of_digits_is_refused_before_it_is_converted(site: Site, query: str) -> None:
    assert "too many digits" in site.graphql(query % ("9" * 5_000))["errors"][0]["message"]


def test_a_fault_of_ours_is_masked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> None:
        raise ZeroDivisionError("select secret")

    monkeypatch.setattr("appliance.server.db.reads.projects.every", fail)
    error = site.graphql("{ projects { name } }")["errors"][0]
    assert error["extensions"]["code"] == "internal" and "secret" not in str(error)


def _random_selection(kind: GraphQLObjectType, chance: random.Random, depth: int, values: dict[str, str]) -> str:
    parts = []
    for name in chance.sample(sorted(kind.fields), k=min(len(kind.fields), chance.randint(1, 7))):
        field = kind.fields[name]
        if any(
            is_required_argument(argument) and argument_name not in values
            for argument_name, argument in field.args.items()
        ):
            continue
        given = [f"{argument}: {values[argument]}" for argument in field.args if argument in values]
        text = f"{chance.choice(('', '', 'z' + name + ': '))}{name}" + (f"({', '.join(given)})" if given else "")
        text += chance.choice(("", "", "", " @skip(if: true)", " @include(if: true)"))
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLObjectType):
            if depth == 0:
                continue
            text += " { " + _random_selection(inner, chance, depth - 1, values) + " }"
        else:
            assert is_leaf_type(inner)
        parts.append(chance.choice((text, text, f"... on {kind.name} {{ {text} }}")))
    return " ".join(parts) or "__typename"


def test_the_fast_executor_answers_as_the_stock_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk and the database's size stand still: others change them between the two answers."""
    monkeypatch.setattr("appliance.server.db.reads.size.database_bytes", lambda _session: 7_000_000_000)
    found = disk.measure(site.database, 0)
    monkeypatch.setattr("appliance.server.actions.disk.measure", lambda _db, _budget: found)
    run, _agent = builders.begun(site.database)
    builders.send(
        site.database, run, 1, builders.task("extract-1", "FAILED", "Failed"), builders.flow("FAILED", "Failed")
    )
    flow = builders.register(site.database, "other", schedules=[builders.MINUTELY], parameters=[builders.N])
    builders.create(site.database, flow.flow_id)
    built, chance = schema.build(), random.Random(7)
    actor = Actor(kind="user", name="viewer", role="viewer")
    assert built.query_type is not None
    for number in range(150):
        wanted = run if number % 2 else flow.flow_id
        values = {"id": f'"{wanted}"', "flowRunId": f'"{run}"'}
        text = "{ " + _random_selection(built.query_type, chance, 6, values) + " }"
        answers = []
        with clock.stopped(lambda: builders_time):
            for executor in (FastExecutor, StrawberryGraphQLCoreExecutionContext):
                context = Context(site.database, Settings(), actor)
                result: Any = execute(built, parse(text), context_value=context, executor_class=executor)
                context.close()
                answers.append(
                    (result.data, [(error.message, error.path) for error in result.errors or []], _order(result.data))
                )
        assert answers[0] == answers[1], text


builders_time = clock.now()


def _order(data: Any) -> Any:
    """The order of keys, which equality of dictionaries doesn't see."""
    if isinstance(data, dict):
        return [(name, _order(value)) for name, value in data.items()]
    return [_order(item) for item in data] if isinstance(data, list) else None


class _Wrong:
    """An object whose attributes are not what the schema says."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_the_fast_executor_leaves_faults_to_the_stock_one() -> None:
    built = schema.build()
    text = "{ me { username role permissions } server { version databaseBytes schedulerTickAge } }"
    root_fields = built.query_type.fields if built.query_type else {}
    for me in (
        {"username": None, "role": "x", "permissions": []},
        {"username": "x", "role": object(), "permissions": ["a", None]},
        {},
    ):
        answers = []
        for executor in (FastExecutor, StrawberryGraphQLCoreExecutionContext):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(root_fields["me"], "resolve", lambda *_a, me=me, **_k: _Wrong(**me))
                patch.setattr(
                    root_fields["server"], "resolve", lambda *_a, **_k: _Wrong(version="1", database_bytes=2**40)
                )
                result: Any = execute(built, parse(text), executor_class=executor)
            answers.append(
                (result.data, [(error.message.partition(" at 0x")[0], error.path) for error in result.errors or []])
            )
        assert answers[0] == answers[1] and answers[0][1]
