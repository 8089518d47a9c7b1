"""What refuses a request doesn't send the caller's long texts back: a sentence keeps its beginning and its end, on one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance.kit.printable import LONGEST_SENTENCE
from appliance.server.errors import Conflict, Invalid, bounded
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

LONG = "x\x1b[2J" + "ä" * 70_000
MOST = 16 * 1024
NOWHERE = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
def run(site: Site) -> str:
    registered = builders.register(site.database, "etl", schedules=[builders.MINUTELY])
    return str(builders.create(site.database, registered.flow_id))


REST: dict[str, tuple[str, str, dict[str, Any]]] = {
    "flow": ("POST", "/api/v1/flow-runs", {"project": "p", "flow": LONG}),
    "project": ("POST", "/api/v1/flow-runs", {"project": LONG, "flow": "etl"}),
    "parameter": ("POST", "/api/v1/flow-runs", {"project": "p", "flow": "etl", "parameters": {LONG: 1}}),
    "value": ("POST", "/api/v1/flow-runs", {"project": "p", "flow": "etl", "parameters": {LONG: "\0"}}),
    "parameters": (
        *("POST", "/api/v1/flow-runs"),
        {"project": "p", "flow": "etl", "parameters": {f"{number}{LONG[:9_000]}": 1 for number in range(90)}},
    ),
    "field": ("POST", "/api/v1/flow-runs", {"project": "p", "flow": "etl", LONG: 1}),
    "label": ("POST", "/api/v1/flow-runs", {"project": "p", "flow": "etl", "labels": [LONG]}),
    "kind of limit": ("PUT", f"/api/v1/concurrency-limits/{'y' * 9_000}/a", {"slots": 1}),
    "mark": ("POST", "/api/v1/flow-runs/RUN/mark", {"state": LONG}),
    "task to mark": ("POST", "/api/v1/flow-runs/RUN/mark", {"state": "Success", "task_slug": LONG}),
    "task to resume": ("POST", "/api/v1/flow-runs/RUN/resume", {"task_slug": LONG}),
    "task to restart": ("POST", "/api/v1/flow-runs/RUN/restart", {"from_task": LONG}),
    "cron": ("POST", "/api/v1/schedules/preview", {"clocks": [{"type": "cron", "cron": LONG}]}),
    "username": ("POST", "/api/v1/users", {"username": LONG, "role": "viewer", "password": "a-fine-password-1"}),
    "token": ("POST", "/api/v1/tokens", {"name": LONG, "scope": "user", "username": LONG}),
    "query": ("GET", "/api/v1/flow-runs?" + "q" * 60_000 + "=1", {}),
    "sort": ("GET", "/api/v1/flow-runs?sort=" + "q" * 15_000, {}),
    "cursor": ("GET", "/api/v1/flow-runs?after=" + "q" * 15_000, {}),
    "state": ("GET", "/api/v1/flow-runs?state=" + "q" * 15_000, {}),
    "topic": ("GET", "/api/v1/flows?project=" + "q" * 15_000, {}),
    "path": ("GET", "/api/v1/" + "q" * 60_000, {}),
}


@pytest.mark.parametrize("what", REST)
def test_rest_answers_shortly(site: Site, run: str, what: str) -> None:
    method, path, body = REST[what]
    headers = site.headers("admin") | {"Content-Type": "application/json"}
    sent = json.dumps(body).encode() if method != "GET" else None
    answer = site.client.request(method, path.replace("RUN", run), content=sent, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert len(answer.content) < MOST
    _is_one_sentence(answer.json()["message"])


GRAPHQL: dict[str, tuple[str, dict[str, Any]]] = {
    "alias": (
        "mutation { " + "a" * 90_000 + f': restartFlowRun(input: {{flowRunId: "{NOWHERE}"}}) {{ flowRun {{ id }} }} }}',
        {},
    ),
    "aliases": (
        "mutation { "
        + " ".join(
            f'{"a" * 9_000}{n}: restartFlowRun(input: {{flowRunId: "{NOWHERE}"}}) {{ flowRun {{ id }} }}'
            for n in range(12)
        )
        + " }",
        {},
    ),
    "field": ("{ " + "f" * 90_000 + " }", {}),
    "operation": ("{ __typename } " + "f" * 90_000, {}),
    "variable": ("query($v: UUID!) { flowRun(id: $v) { id } }", {"v": LONG}),
    "mark": (
        'mutation($v: String!) { markFlowRun(input: {flowRunId: "RUN", state: $v}) { flowRun { id } } }',
        {"v": LONG},
    ),
    "many names": (
        "mutation($v: JSON) { "
        + " ".join(
            f'a{n}: createFlowRun(input: {{flowId: "FLOW", parameters: $v}}) {{ flowRun {{ id }} }}' for n in range(12)
        )
        + " }",
        {"v": {LONG[:9_000] + str(number): 1 for number in range(20)}},
    ),
}


CODES = {name: "not_found" if name in ("alias", "aliases") else "invalid" for name in GRAPHQL}
"""The requests get as far as they are meant to."""


@pytest.mark.parametrize("what", GRAPHQL)
def test_graphql_answers_shortly(site: Site, run: str, what: str) -> None:
    query, variables = GRAPHQL[what]
    flow = str(builders.one(site.database, "select id from flow")["id"])
    query = query.replace("RUN", run).replace("FLOW", flow)
    answer = site.post("/graphql", {"query": query, "variables": variables}, "admin")
    errors = answer.json()["errors"]
    assert all(error["extensions"]["code"] == CODES[what] for error in errors), errors
    data = json.dumps(answer.json().get("data"), ensure_ascii=False).encode()  # its names of fields are the caller's
    assert len(answer.content) - len(data) < MOST
    for error in errors:
        _is_one_sentence(error["message"])


def test_the_end_says_what_to_do_next() -> None:
    error = Conflict(f"There is no {LONG}; look at\nthe list.", names=[LONG] * 90, number=7)
    assert error.message.startswith("There is no x\\x1b[2Jääää")
    assert error.message.endswith("ää; look at\\nthe list.")
    assert str(error) == error.message
    assert error.details["number"] == 7
    assert len(json.dumps(error.details, ensure_ascii=False)) < 3_000
    assert Invalid("Short.", folder="/a").details == {"folder": "/a"}
    assert bounded({"a": None, "b": [True, 0.5, "c"]}) == {"a": None, "b": [True, 0.5, "c"]}


def _is_one_sentence(message: str) -> None:
    assert 0 < len(message) <= LONGEST_SENTENCE
    assert message.isprintable()
