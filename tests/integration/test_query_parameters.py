"""No route accepts a query parameter that it doesn't have."""

from __future__ import annotations

import pytest

from appliance.kit.suggestions import closest, hint
from appliance.server.api import openapi
from appliance.server.auth.guards import Permission
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

_PRINCIPALS = {Permission.RUN_PROTOCOL: "run", Permission.AGENT_PROTOCOL: "agent"}


def test_every_route_refuses_query_parameters_that_it_does_not_have(site: Site) -> None:
    run = builders.create(site.database, builders.register(site.database).flow_id)
    (work,) = builders.claim(site.database, builders.enrol(site.database))
    site.tokens["run"] = work.run_token
    for route, handler in openapi.operations(site.app):
        path = route.path_format
        for name, parameter in route.path_parameters.items():
            path = path.replace("{" + name + "}", "1" if parameter.type is int else str(run))
        principal = _PRINCIPALS.get(handler.opt["permission"], "admin")
        for method in handler.http_methods:
            answer = site.client.request(method, f"{path}?no_such_thing=1", headers=site.headers(principal), json={})
            assert answer.status_code == 422, (method, path, answer.text)
            if method != "HEAD":
                assert answer.json()["code"] == "unknown_name"
                assert "There is no query parameter 'no_such_thing'; " in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/v1/flow-runs?stat=FAILED", "There is no query parameter 'stat'; did you mean 'state'?"),
        ("/api/v1/flow-runs?state=FAILED&Limit=1", "There is no query parameter 'Limit'; did you mean 'limit'?"),
        ("/api/v1/flows?project=demo&q", "There is no query parameter 'q'; this address takes after, archived, limit, name, project."),
        ("/api/v1/me?x=1", "There is no query parameter 'x'; this address takes none."),
        ("/healthz?x=%00%ff", "There is no query parameter 'x'; this address takes none."),
    ],
)  # fmt: skip
def test_the_answer_says_what_was_meant(site: Site, path: str, sentence: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.json()["message"]) == (422, sentence)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/v1/flow-runs?include_future=maybe", "The parameter include_future is not valid: use true or false."),
        ("/api/v1/schedules?active=yes", "The parameter active is not valid: use true or false."),
        ("/api/v1/flow-runs?limit=ten", "The parameter limit is not valid: use a whole number."),
        ("/api/v1/flow-runs?flow_id=etl", "The parameter flow_id is not valid: use an id, such as those in lists."),
        ("/api/v1/flow-runs?limit=1&limit=2", "The query parameter 'limit' is given twice; this address takes it once."),
        ("/api/v1/flows?name=a%00b", "The parameter name is not valid: use at most 16384 characters, and no NUL."),
        (f"/api/v1/flows?name={'x' * 20_000}", "The parameter name is not valid: use at most 16384 characters, and no NUL."),
        ("/api/v1/flow-runs?limit=9223372036854775808", "The field limit is out of range; use a whole number of at most 64 bits."),
        ("/api/v1/flow-runs?since=1999-12-31T00:00:00Z", "The field since must be between the years 2000 and 2100."),
        ("/api/v1/flow-runs?" + "&".join(["label=a"] * 101), "There are too many query parameters; use at most 100."),
    ],
)  # fmt: skip
def test_the_answer_says_what_to_write(site: Site, path: str, sentence: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.json()["message"]) == (400, sentence)


def test_pages_of_the_ui_take_what_their_links_contain(site: Site) -> None:
    assert site.get("/runs?show=failed&anything=1").status_code == 200


def test_hints() -> None:
    assert closest("failed", ["Failed", "FAILED"]) in ("Failed", "FAILED")
    assert closest("zzz", ["Failed"]) is None
    assert hint("zzz", [], "nothing is known") == "nothing is known."
    assert hint("zzz", [], "the labels are") == "there are none."
    assert hint("zzz", [f"n{n:02}" for n in range(30)], "use").endswith("n19, and others.")
