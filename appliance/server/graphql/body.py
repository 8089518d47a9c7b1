"""The body of a request to GraphQL, before anything is parsed."""

from __future__ import annotations

import msgspec

from appliance.kit.documents import JsonDocument
from appliance.server.domain.bounds import check_document
from appliance.server.errors import Invalid

MAX_BODY = 1024 * 1024


class Body(msgspec.Struct, kw_only=True):
    query: str
    variables: JsonDocument | None = None
    operationName: str | None = None
    extensions: JsonDocument | None = None


def decode(body: bytes) -> Body:
    """The body, or Invalid."""
    try:
        document = msgspec.json.decode(body, type=Body)
        if b"\\u0000" in body:
            check_document(document.variables, "variables")
        return document
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            "The body must be a JSON object with the key query and, optionally, variables and operationName."
        ) from error
