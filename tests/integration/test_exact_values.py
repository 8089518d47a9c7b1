"""Parameters come back from the server as they were sent, digit for digit, through REST, GraphQL, restarts, schedules and runs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

VALUES = {
    "a beyond 2**53": "9007199254740993",
    "b beyond 64 bits": "-123456789012345678901234567890",
    "c whole": "1",
    "d float": "1.0",
    "e text of a number": '"1"',
    "f empty": '""',
    "g decimal as text": '"0.10000000000000000000000001"',
    "h microseconds": '"2026-10-25T02:30:00.123456+01:00"',
    "i nested": '{"deep":[9007199254740993,1.0,""]}',
    "j null": "null",
    "k smallest": "5e-324",
}
TEXT = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in VALUES.items()) + "}"


def _changed(text: str, kind: str = "") -> list[str]:
    """The values that are not there as they were sent; Postgres orders the names its own way."""
    sent = {name: re.escape(f"{json.dumps(name)}{kind}:{value}") + "[,}]" for name, value in VALUES.items()}
    return [name for name, pattern in sent.items() if not re.search(pattern, text)]


def _declared() -> list[dict[str, Any]]:
    defaults = json.loads(TEXT)
    return [{"name": name, "required": False, "default": defaults[name], "schema": {}} for name in defaults]


def _send(site: Site, path: str, body: str, principal: str = "operator") -> str:
    headers = site.headers(principal) | {"Content-Type": "application/json"}
    answer = site.client.post(path, content=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.text


def test_by_rest_and_graphql(site: Site) -> None:
    flow = builders.register(site.database, parameters=_declared())
    made = _send(site, "/api/v1/flow-runs", f'{{"project": "demo", "flow": "etl", "parameters": {TEXT}}}')
    assert not _changed(made)
    run = json.loads(made)["id"]
    assert not _changed(site.get(f"/api/v1/flow-runs/{run}").text)
    query = "query($id: UUID!) { flowRun(id: $id) { parameters version { parameters { name default } } } }"
    shown = _send(site, "/graphql", json.dumps({"query": query, "variables": {"id": run}}))
    assert not _changed(shown)
    assert not _changed(shown, ',"default"')
    create = "mutation($i: CreateFlowRunInput!) { createFlowRun(input: $i) { flowRun { id parameters } } }"
    variables = f'{{"i": {{"flowId": "{flow.flow_id}", "parameters": {TEXT}}}}}'
    assert not _changed(_send(site, "/graphql", f'{{"query": "{create}", "variables": {variables}}}'))


def test_by_restart(site: Site) -> None:
    run, _agent = builders.begun(site.database, parameters=_declared())
    builders.send(site.database, run, 1, builders.flow("FAILED", "Failed"))
    changed = '{"c whole": 1.0, "d float": 1}'
    _send(site, f"/api/v1/flow-runs/{run}/restart", f'{{"reason": "types", "parameters": {changed}}}')
    restarted = site.get(f"/api/v1/flow-runs/{run}").text
    assert sorted(_changed(restarted)) == ["c whole", "d float"]
    assert '"c whole":1.0' in restarted
    assert '"d float":1,' in restarted


def test_by_schedule_and_to_the_run(site: Site) -> None:
    flow = builders.register(site.database, parameters=_declared())
    document = '{"kind": "cron", "cron": "* * * * *", "timezone": "UTC"}'
    made = _send(site, f"/api/v1/flows/{flow.flow_id}/schedules", f'{{"document": {document}, "parameters": {TEXT}}}')
    assert not _changed(made)
    run = site.post("/api/v1/flow-runs", {"project": "demo", "flow": "etl"}).json()["id"]
    agent = site.post("/api/v1/agents", {"name": "edge", "type": "process"}, "agent").json()["agent_id"]
    (work,) = site.post(f"/api/v1/agents/{agent}/claim", {"free_slots": 1}, "agent").json()["work"]
    site.tokens["run"] = work["run_token"]
    assert not _changed(_send(site, f"/api/v1/flow-runs/{run}/begin", '{"attempt": 1}', "run"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_what_is_no_number_is_refused(site: Site, number: str) -> None:
    builders.register(site.database, parameters=_declared())
    for path, body in (
        ("/api/v1/flow-runs", f'{{"project": "demo", "flow": "etl", "parameters": {{"c whole": {number}}}}}'),
        ("/graphql", f'{{"query": "query {{ __typename }}", "variables": {{"x": {number}}}}}'),
    ):
        headers = site.headers("operator") | {"Content-Type": "application/json"}
        answer = site.client.post(path, content=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
