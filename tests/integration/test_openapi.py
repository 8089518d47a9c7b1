"""The OpenAPI document: that it speaks of every route, that it holds together, and that it says what handlers really read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from appliance.protocol.run_filter import RunFilter
from appliance.protocol.verbs import VERBS
from appliance.server.api import openapi
from appliance.server.api.gate import handlers
from tests.integration import builders
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site

__all__ = ["database", "site"]

FILES = {"/", "/{path:path}", "/assets/{path:path}", "/docs", "/docs/{path:path}", "/simple", "/simple/{path:path}"}


@pytest.fixture
def told(site: Site) -> dict[str, Any]:
    answer = site.client.get("/api/v1/openapi.json")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def _operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _inside(item)


def test_it_speaks_of_every_route(site: Site, told: dict[str, Any]) -> None:
    served = set()
    for route in site.app.routes:
        if route.path not in FILES:
            served |= {(method, route.path_format) for method in route.methods - {"OPTIONS", "HEAD"}}
    assert {(method, path) for method, path, _operation in _operations(told)} == served
    assert all(operation["summary"] for _method, _path, operation in _operations(told))
    names = [operation["operationId"] for _method, _path, operation in _operations(told)]
    assert len(names) == len(set(names))


def test_it_holds_together(told: dict[str, Any]) -> None:
    assert told["openapi"] == "3.1.0"
    for place in _inside(told):
        if "$ref" in place:
            target: Any = told
            for part in place["$ref"].removeprefix("#/").split("/"):
                target = target[part]
        if isinstance(place.get("schema"), dict):
            Draft202012Validator.check_schema(place["schema"])
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for _method, path, operation in _operations(told):
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for needed in operation["security"]:
            assert set(needed) <= set(told["components"]["securitySchemes"])


def test_every_handler_declares_the_body_that_it_decodes(site: Site) -> None:
    for handler in handlers(site.app):
        code = openapi.function(handler).__code__
        reads = "body" in code.co_varnames[: code.co_argcount] or "decode" in code.co_names
        assert reads == ("body" in handler.opt), handler.paths
        if "decode" in code.co_names:
            verb = VERBS.get(openapi.function(handler).__name__)
            of_verb = verb is not None and handler.opt["body"] is verb.request
            its_own = get_type_hints(openapi.function(handler).__globals__["decode"])["return"] is handler.opt["body"]
            assert of_verb or its_own or handler.opt["body"].__name__ in code.co_names, handler.paths


def test_what_takes_a_body_names_its_schema(told: dict[str, Any]) -> None:
    without = set()
    for method, path, operation in _operations(told):
        if method in ("POST", "PATCH"):
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if not content.get("schema", {}).get("$ref", "").startswith("#/components/schemas/"):
                without.add(path)
    assert without == {
        "/api/v1/logout",
        *(f"/api/v1/agents/{{agent_id}}/{verb}" for verb in ("sign-off", "drain", "resume")),
        "/api/v1/automations/{automation_id}/test",
        "/api/v1/deliveries/{delivery_id}/send-again",
    }


def test_real_answers_fit_it(site: Site, told: dict[str, Any]) -> None:
    run, _agent = builders.begun(site.database)
    builders.register(site.database, "other", schedules=[builders.YEARLY])
    builders.send(site.database, run, 1, builders.task("extract-1", "RUNNING", "Running"), builders.line("hello"))
    checked = 0
    for method, path, operation in _operations(told):
        if method != "GET" or path == "/api/v1/events" or "200" not in operation["responses"]:
            continue
        content = operation["responses"]["200"]["content"].get("application/json")
        if content is None or ("{" in path and "{run_id}" not in path):
            continue
        query = "?text=hello" if path == "/api/v1/logs" else ""
        answer = site.get(path.replace("{run_id}", str(run)) + query, "admin")
        assert answer.status_code == 200, path
        schema = content["schema"] | {"components": told["components"]}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer.json())
        checked += 1
    assert checked > 12
    refused = {"$ref": "#/components/schemas/ErrorAnswer", "components": told["components"]}
    Draft202012Validator(refused).validate(site.client.get("/api/v1/me").json())


def test_the_parameters_of_a_list(told: dict[str, Any]) -> None:
    shown = {item["name"]: item["schema"] for item in told["paths"]["/api/v1/flow-runs"]["get"]["parameters"]}
    assert shown["state"] == {"type": "array", "items": {"type": "string"}} and shown["limit"] == {"type": "integer"}
    assert shown["include_future"] == {"type": "boolean", "default": False}
    filters = {name.removesuffix("s") for name in RunFilter.__struct_fields__}
    assert "database" not in shown and set(shown) == filters | {"sort", "limit", "after"}
