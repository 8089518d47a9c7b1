"""Refuses query parameters that a route doesn't have, or takes once and gets twice: what a filter doesn't mean must not be selected.
A value that no column can hold is refused here for all routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Empty, Receive, Scope, Send
from litestar.typing import FieldDefinition

from appliance.kit import suggestions
from appliance.server.domain.bounds import check_integer
from appliance.server.errors import Invalid, UnknownName

_MOST, _LONGEST = 100, 16 * 1024
_INTEGER = re.compile(r"[+-]?\d{1,4000}")


class QueryCheck:
    """ASGI middleware around every route but the files of the UI and the documentation."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"]:
            handler = scope["route_handler"]
            if isinstance(handler, HTTPRouteHandler) and handler.include_in_schema is not False:
                _check(handler, scope["query_string"])
        await self.app(scope, receive, send)


def declared(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition]]:
    """The query parameters of a route: the handler's with a default. All others come from the app or the path."""
    for name, field in handler.parsed_fn_signature.parameters.items():
        if field.default is not Empty:
            yield getattr(field.kwarg_definition, "query", None) or name, field


def _check(handler: HTTPRouteHandler, query: bytes) -> None:
    known = dict(declared(handler))
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if len(pairs) > _MOST:
        raise Invalid(f"There are too many query parameters; use at most {_MOST}.")
    names = [name for name, _value in pairs]
    for name, value in pairs:
        if name not in known:
            otherwise = "this address takes" if known else "this address takes none"
            raise UnknownName(
                f"There is no query parameter {name[:80]!r}; {suggestions.hint(name[:80], known, otherwise)}"
            )
        if names.count(name) > 1 and not _is_repeatable(known[name]):
            raise Invalid(f"The query parameter {name!r} is given twice; this address takes it once.")
        if "\0" in value or len(value) > _LONGEST:
            raise Invalid(f"The parameter {name} is not valid: use at most {_LONGEST} characters, and no NUL.")
        if _INTEGER.fullmatch(value) and _is_integer(known[name]):
            check_integer(int(value), name)


def _is_repeatable(field: FieldDefinition) -> bool:
    return any(one.is_non_string_sequence for one in (field, *field.inner_types))


def _is_integer(field: FieldDefinition) -> bool:
    return any(one.annotation is int for one in (field, *field.inner_types))
