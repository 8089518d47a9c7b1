"""REST: the OpenAPI document, generated from the app's own routes, so that it always matches what is served.

Most of it comes from a handler's docstring, signature and return annotation. The rest is in its `opt`: `body` is the
message that it decodes, and `items` the type of its page's items.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent, Stream
from litestar.routes import HTTPRoute

from appliance.kit.documents import JsonDocument
from appliance.kit.version import VERSION
from appliance.protocol.errors import ErrorAnswer
from appliance.protocol.message import Page
from appliance.server.actions.names import LONGEST_NAME
from appliance.server.api.gate import SAFE
from appliance.server.api.query_parameters import declared
from appliance.server.auth import sessions
from appliance.server.auth.guards import Permission

_WITHOUT_KEY = frozenset(
    {Permission.PUBLIC, Permission.READ, Permission.AGENT_PROTOCOL, Permission.RUN_PROTOCOL}
)  # these change nothing, or make a lost answer harmless by their own means
_REFERENCE = "#/components/schemas/{name}"
_TEXTS: dict[object, str] = {Stream: "text/plain", ServerSentEvent: "text/event-stream", bytes: "text/plain"}
_SIGN_IN = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of a user, an agent or a run."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": sessions.COOKIE, "description": "Set by POST /api/v1/login."},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": sessions.CSRF_HEADER,
        "description": "The session's csrf_token. Unsafe methods require it in addition to the cookie.",
    },
}


@get("/openapi.json", opt={"permission": Permission.PUBLIC}, sync_to_thread=True)
def show(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Get this document."""
    state = request.app.state
    if "openapi" not in state:
        state["openapi"] = msgspec.json.encode(document(request.app))
    return Response(state["openapi"], media_type="application/json")


def document(app: Litestar) -> JsonDocument:
    """The document for the app's routes, without the files of the UI and the documentation."""
    routes = list(operations(app))
    schemas = _Schemas(kind for _route, handler in routes for kind in _kinds(handler))
    paths: dict[str, JsonDocument] = {}
    for route, handler in routes:
        for method in sorted(handler.http_methods):
            paths.setdefault(address(route), {})[method.lower()] = _operation(route, handler, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Appliance", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {"Error": {"description": "The request failed.", "content": _json(schemas.of(ErrorAnswer))}},
            "securitySchemes": _SIGN_IN,
        },
    }


def operations(app: Litestar) -> Iterator[tuple[HTTPRoute, HTTPRouteHandler]]:
    """The handlers that the document covers."""
    for route in (route for route in app.routes if isinstance(route, HTTPRoute)):
        for handler in route.route_handlers:
            if handler.include_in_schema is not False and "OPTIONS" not in handler.http_methods:
                yield route, handler


def address(route: HTTPRoute) -> str:
    """The route's path, with its parameters in OpenAPI's notation."""
    path: str = route.path_format
    return path


def function(handler: HTTPRouteHandler) -> Callable[..., Any]:
    """The original function. The framework wraps handlers that run in threads, and `turns` wraps those that it admits there."""
    fn: Callable[..., Any] = inspect.unwrap(getattr(handler.fn, "func", handler.fn))
    return fn


class _Schemas:
    """JSON schemas of types, and the components that they refer to."""

    def __init__(self, kinds: Iterator[Any]) -> None:
        types = list({repr(kind): kind for kind in kinds}.values())
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
        self._of = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}

    def of(self, kind: Any) -> JsonDocument:
        return self._of[repr(kind)]


def _kinds(handler: HTTPRouteHandler) -> Iterator[Any]:
    """Every type that the handler's part of the document refers to."""
    yield ErrorAnswer
    yield from (handler.opt[name] for name in ("body", "items") if name in handler.opt)
    yield from (_without_none(field.annotation) for _name, field in declared(handler))
    answer = _answer(handler)
    if answer is not NoneType and answer not in _TEXTS:
        yield answer


def _operation(route: HTTPRoute, handler: HTTPRouteHandler, method: str, schemas: _Schemas) -> JsonDocument:
    tag = address(route).removeprefix("/api/v1").split("/")[1]
    operation: JsonDocument = {
        "operationId": f"{tag}.{handler.handler_name}",
        "tags": [tag],
        "summary": inspect.getdoc(function(handler)) or "",
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(handler, schemas),
            *_key_parameter(handler, method),
        ],
        "responses": {str(handler.status_code): _success(handler, schemas)},
        "security": _security(handler.opt["permission"], method),
    }
    operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
    if "body" in handler.opt:
        body = handler.opt["body"]
        required = any(field.required for field in msgspec.structs.fields(body))
        operation["requestBody"] = {"required": required, "content": _json(schemas.of(body))}
    return operation


def _path_parameters(route: HTTPRoute) -> Iterator[JsonDocument]:
    for name in route.path_parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def _query_parameters(handler: HTTPRouteHandler, schemas: _Schemas) -> Iterator[JsonDocument]:
    for name, field in declared(handler):
        schema = dict(schemas.of(_without_none(field.annotation)))
        if field.default is not None:
            schema["default"] = field.default
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _key_parameter(handler: HTTPRouteHandler, method: str) -> Iterator[JsonDocument]:
    """The header of changes."""
    if method not in SAFE and handler.opt["permission"] not in _WITHOUT_KEY:
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}


def _success(handler: HTTPRouteHandler, schemas: _Schemas) -> JsonDocument:
    answer = _answer(handler)
    if answer is NoneType:
        return {"description": "Done. The response has no content."}
    if answer in _TEXTS:
        return {"description": "Text.", "content": {_TEXTS[answer]: {"schema": {"type": "string"}}}}
    schema = schemas.of(answer)
    if "items" in handler.opt:
        items = {"type": "array", "items": schemas.of(handler.opt["items"])}
        schema = {"allOf": [schema, {"type": "object", "properties": {"items": items}}]}
    return {"description": "One page of items." if answer is Page else "Success.", "content": _json(schema)}


def _security(permission: Permission, method: str) -> list[dict[str, list[str]]]:
    if permission is Permission.PUBLIC:
        return []
    if permission is Permission.RUN_PROTOCOL:
        return [{"bearer": []}]
    return [{"bearer": []}, {"cookie": []} if method == "GET" else {"cookie": [], "csrf": []}]


def _answer(handler: HTTPRouteHandler) -> Any:
    """The type of the response body."""
    kind = handler.opt.get("answer", handler.parsed_fn_signature.return_type.annotation)
    return get_args(kind)[0] if get_origin(kind) is Response else kind


def _without_none(kind: Any) -> Any:
    """`T` of `T | None`: a query parameter is omitted, never null."""
    others = [part for part in get_args(kind) if part is not NoneType]
    return others[0] if NoneType in get_args(kind) and len(others) == 1 else kind


def _json(schema: JsonDocument) -> JsonDocument:
    return {"application/json": {"schema": schema}}
