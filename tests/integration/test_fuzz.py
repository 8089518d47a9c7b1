"""No answer is a fault, whatever is sent, on both databases; what is refused has changed nothing.

APPLIANCE_FUZZ is the number of requests, 3,000 by default for both databases together, and `make fuzz` sends 300,000; APPLIANCE_FUZZ_SEED draws others.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest

from appliance.kit import clock
from appliance.server.api import openapi
from appliance.server.auth.guards import Permission
from appliance.server.graphql import schema
from tests.depth import pick
from tests.integration import builders, fuzz
from tests.integration.fuzz_graphql import Documents
from tests.integration.server_fixtures import Site

REQUESTS = int(os.environ.get("APPLIANCE_FUZZ", pick(quick=600, normal=3_000, full=12_000))) // 2
SEED = int(os.environ.get("APPLIANCE_FUZZ_SEED", 1))
_PRINCIPALS = {Permission.RUN_PROTOCOL: "run", Permission.AGENT_PROTOCOL: "agent"}
_LEFT_OUT = {
    "/api/v1/events",  # in this process it never ends
    "/graphql",  # which has a grammar of its own
    "/api/v1/login",  # refusals take half a second
}
LONGEST_REFUSAL = 16 * 1024
_ALSO = {"api_token", "session", "agent", "lease"}
"""Tables that may change meanwhile: when a token was used, that an agent was heard from, that this server is alive."""


_TABLES = {
    **{
        "run": "flow_run",
        "flow_run": "flow_run",
        "id": "flow_run",
        "limit": "concurrency_limit",
        "version": "flow_version",
    },
    **{name: name for name in ("flow", "project", "schedule", "agent", "job")},
}


class Ids:
    """The ids of what exists, looked up now and then."""

    def __init__(self, site: Site) -> None:
        self._site, self._asked = site, 0
        self._found: dict[str, list[str]] = {}

    def __call__(self) -> dict[str, list[str]]:
        if self._asked % 300 == 0:
            self._found = {name: self._of(table) for name, table in _TABLES.items()}
        self._asked += 1
        return self._found

    def _of(self, table: str) -> list[str]:
        rows = builders.rows(self._site.database, f'select id from "{table}" order by id desc limit 5')
        return [str(row["id"]) for row in rows]


@pytest.fixture
def stocked(site: Site) -> Site:
    """A site with something of everything."""
    registered = builders.register(site.database, "etl", schedules=[builders.MINUTELY])
    builders.create(site.database, registered.flow_id)
    (work,) = builders.claim(site.database, builders.enrol(site.database))
    site.tokens["run"] = work.run_token
    site.tokens["run id"] = str(work.flow_run_id)
    return site


class Verdict:
    """Counts answers, and keeps those that are faults."""

    def __init__(self, site: Site) -> None:
        self._site, self._watch = site, fuzz.Watch()
        self._statuses: Counter[int] = Counter()
        self._faults: list[tuple[Any, ...]] = []
        self._changes, self._slowest = 0, 0.0

    def send(self, asked: fuzz.Asked) -> None:
        headers = {"Content-Type": "application/json"} | asked.headers | self._site.headers(asked.principal)
        self._watch.committed.clear()
        began = clock.monotonic()
        answer = self._site.client.request(asked.method, asked.path, content=asked.body, headers=headers)
        self._slowest = max(self._slowest, clock.monotonic() - began)
        self._statuses[answer.status_code] += 1
        is_refused = answer.status_code >= 400 or _is_refused(asked, answer)
        changed = set(self._watch.committed) - _ALSO
        self._changes += bool(changed)
        is_fault = answer.status_code >= 500 or (answer.status_code == 200 and '"code":"internal"' in answer.text)
        if is_fault or (is_refused and (changed or len(answer.content) > LONGEST_REFUSAL)):
            self._faults.append((asked, answer.status_code, answer.text[:300], changed))

    def __enter__(self) -> Verdict:
        self._watching = self._watch.on(self._site.database)
        self._watching.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._watching.__exit__(*error)
        if error[0] is None:
            print(
                f"statuses {dict(sorted(self._statuses.items()))}, {self._changes} changes, slowest {self._slowest:.2f} s"
            )
            for fault in self._faults[:20]:
                print(str(fault)[:1500])
            assert not self._faults
            assert self._changes > REQUESTS // 100, "the requests get far enough to change something"


def _is_refused(asked: fuzz.Asked, answer: Any) -> bool:
    """Whether the only root field of a GraphQL document was not carried out. Of several, each is carried out or refused for itself."""
    if asked.path != "/graphql" or b"a1: " in (asked.body or b"") or b'"errors"' not in answer.content:
        return False
    document = answer.json()
    below = any(
        len(error.get("path", ())) > 1 for error in document["errors"]
    )  # the change was made, and its answer can't be shown
    return not below and not any(value is not None for value in (document.get("data") or {}).values())


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_rest_has_an_answer_to_everything(stocked: Site) -> None:
    document = openapi.document(stocked.app)
    draw, choice = fuzz.Draw(SEED, document["components"], Ids(stocked)), random.Random(SEED)
    permissions = {
        (openapi.address(route), method): handler.opt["permission"]
        for route, handler in openapi.operations(stocked.app)
        for method in handler.http_methods
    }
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path not in _LEFT_OUT
    ]
    with Verdict(stocked) as verdict:
        for _ in range(REQUESTS // 2):
            path, method, operation = choice.choice(operations)
            principal = _PRINCIPALS.get(permissions[path, method.upper()], "admin")
            if principal == "run":
                path = path.replace("{flow_run_id}", stocked.tokens["run id"])
            verdict.send(fuzz.request_of(draw, path, method, operation, principal))


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_graphql_has_an_answer_to_everything(stocked: Site) -> None:
    documents = Documents(schema.build(), fuzz.Draw(SEED, {}, Ids(stocked)))
    with Verdict(stocked) as verdict:
        for _ in range(REQUESTS // 2):
            verdict.send(fuzz.Asked("POST", "/graphql", documents.next(), "admin"))
