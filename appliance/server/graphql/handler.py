"""POST /graphql: the caller is authenticated before anything is parsed. Everything then runs in one worker thread."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeGuard

import msgspec
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    execute,
    get_operation_ast,
)
from litestar import Request, Response, post

from appliance.config import Settings
from appliance.kit.documents import JsonDocument
from appliance.kit.printable import LONGEST_SENTENCE, sentence
from appliance.server.auth.guards import Permission
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database, passing_faults
from appliance.server.domain.bounds import check_document
from appliance.server.errors import Invalid, ServerError, bounded
from appliance.server.graphql.context import Context
from appliance.server.graphql.execution import FastExecutor
from appliance.server.graphql.limits import MAX_BODY, DocumentCache, check_cost
from appliance.server.graphql.loaders import Lost

log = logging.getLogger(__name__)
_MOST_ERRORS = 10
_MOST_TEXT = 4_000
"""Characters of all sentences of an answer together, and so many of its details."""
_LONGEST_STEP = 200
"""Characters of a field's name or alias in the path of an error."""


class Body(msgspec.Struct, kw_only=True):
    query: str
    variables: JsonDocument | None = None
    operationName: str | None = None
    extensions: JsonDocument | None = None


class Endpoint:
    """The schema with its cache of parsed documents."""

    def __init__(self, schema: GraphQLSchema, introspection: bool = True) -> None:
        self.schema = schema
        self._documents = DocumentCache(schema, introspection)

    def answer(self, context: Context, body: Body, request_id: str) -> JsonDocument:
        """Run one operation and return the GraphQL response: data, errors or both."""
        try:
            result = self._run(context, body)
        finally:
            context.close()
        answer: JsonDocument = {"data": result.data}
        if result.errors:
            errors = result.errors[:_MOST_ERRORS]
            answer["errors"] = [_error(error, request_id, len(errors)) for error in errors]
        return answer

    def _run(self, context: Context, body: Body) -> ExecutionResult:
        document, errors = self._documents.get(body.query)
        variables = body.variables or {}
        if document is not None:
            errors = check_cost(self.schema, document, body.operationName, variables)
        if document is None or errors:
            return ExecutionResult(data=None, errors=errors)
        result = self._execute(context, document, body.operationName, variables)
        operation = get_operation_ast(document, body.operationName)
        while operation is not None and operation.operation is OperationType.QUERY:
            lost = [original.keys for error in result.errors or () if isinstance(original := _original(error), Lost)]
            if not lost or not context.lose(set().union(*lost)):
                break
            result = self._execute(context, document, body.operationName, variables)  # its lists without those
        return result

    def _execute(
        self, context: Context, document: DocumentNode, operation: str | None, variables: JsonDocument
    ) -> ExecutionResult:
        result = execute(
            self.schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation,
            executor_class=FastExecutor,
            is_awaitable=_never,  # every resolver is synchronous
            hide_suggestions=True,
        )
        assert isinstance(result, ExecutionResult)
        return result


@post(
    "/graphql",
    opt={"permission": Permission.SELF, "body": Body},
    status_code=200,
    request_max_body_size=MAX_BODY,
    sync_to_thread=True,
)
def graphql(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    endpoint: Endpoint,
    actor: Actor,
    body: bytes,
) -> Response[JsonDocument]:
    """Run a GraphQL query or mutation."""
    state, document = request.scope["state"], _decode(body)
    if "mutation" in document.query:
        state["uncompressed"] = True  # mutations may give out credentials
    answer = endpoint.answer(Context(database, settings, actor), document, str(state.get("request_id", "")))
    return Response(answer, media_type="application/json")


def _decode(body: bytes) -> Body:
    try:
        document = msgspec.json.decode(body, type=Body)
        if b"\\u0000" in body:
            check_document(document.variables, "variables")
        return document
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            "The body must be a JSON object with the key query and, optionally, variables and operationName."
        ) from error


def _never(_value: Any) -> TypeGuard[Awaitable[Any]]:
    return False


def _original(error: GraphQLError) -> Exception | None:
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original


def _as_ours(error: Exception | None) -> Exception | None:
    """A passing fault of the database, or a damaged row, as the error that stands for it everywhere."""
    if error is None:
        return None
    try:
        with passing_faults():
            raise error
    except Exception as ours:  # noqa: BLE001 - whatever it is, it is returned
        return ours


def _error(error: GraphQLError, request_id: str, among: int) -> JsonDocument:
    """The error as the caller sees it, `among` so many. Only our own errors and GraphQL's are exposed; any other is a bug, and only
    logged."""
    original = _as_ours(_original(error))
    if isinstance(original, ServerError):
        message, extensions = original.message, {"code": original.code} | bounded(original.details, _MOST_TEXT // among)
    elif original is None:
        message, extensions = error.message, {"code": "invalid"}
    else:
        log.error("Request %s failed in GraphQL at %s.", request_id, error.path, exc_info=original)
        message = f"The server failed on this request; search its log for the request id {request_id}."
        extensions = {"code": "internal"}
    most = LONGEST_SENTENCE if among == 1 else _MOST_TEXT // among
    answer: JsonDocument = {"message": sentence(message, most), "extensions": extensions}
    if error.path:
        answer["path"] = [step[:_LONGEST_STEP] if isinstance(step, str) else step for step in error.path]
    if error.locations:
        answer["locations"] = [{"line": place.line, "column": place.column} for place in error.locations[:_MOST_ERRORS]]
    return answer
