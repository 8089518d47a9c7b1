"""No answer is a fault, whatever is sent, on both databases; what is refused has changed nothing.

APPLIANCE_FUZZ is the number of requests, 3,000 by default for both databases together, and `make fuzz` sends 300,000; APPLIANCE_FUZZ_SEED draws others.
"""

from __future__ import annotations

import os
import random

import pytest

from appliance.server.api import openapi
from appliance.server.auth.guards import Permission
from appliance.server.graphql import schema
from tests.depth import pick
from tests.integration import fuzz
from tests.integration.fuzz_graphql import Documents
from tests.integration.fuzz_verdict import Ids, Verdict
from tests.integration.server_fixtures import Site

REQUESTS = int(os.environ.get("APPLIANCE_FUZZ", pick(quick=600, normal=1_200, full=12_000))) // 2
SEED = int(os.environ.get("APPLIANCE_FUZZ_SEED", 1))
_PRINCIPALS = {Permission.RUN_PROTOCOL: "run", Permission.AGENT_PROTOCOL: "agent"}
_LEFT_OUT = {
    "/api/v1/events",  # in this process it never ends
    "/graphql",  # which has a grammar of its own
    "/api/v1/login",  # refusals take half a second
}


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
        assert verdict.changes > REQUESTS // 100, "the requests get far enough to change something"


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_graphql_has_an_answer_to_everything(stocked: Site) -> None:
    documents = Documents(schema.build(), fuzz.Draw(SEED, {}, Ids(stocked)))
    with Verdict(stocked) as verdict:
        for _ in range(REQUESTS // 2):
            verdict.send(fuzz.Asked("POST", "/graphql", documents.next(), "admin"))
        assert verdict.changes > REQUESTS // 100, "the requests get far enough to change something"
