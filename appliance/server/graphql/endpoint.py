"""One operation of GraphQL: parsed, checked, and executed in one worker thread; its errors as the caller sees them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from typing import Any, TypeGuard
from uuid import UUID

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationType,
    execute,
    get_operation_ast,
)

from appliance.config import Settings
from appliance.kit.documents import JsonDocument
from appliance.kit.printable import LONGEST_SENTENCE, sentence
from appliance.server.auth.identity import Actor
from appliance.server.db.faults import passing_faults
from appliance.server.db.session import Database
from appliance.server.errors import ServerError, bounded
from appliance.server.graphql.body import Body
from appliance.server.graphql.context import Context
from appliance.server.graphql.execution import FastExecutor
from appliance.server.graphql.limits import DocumentCache, check_cost
from appliance.server.graphql.loaders import Lost
from appliance.server.graphql.run_rows import run_rows, schema_of_rows

log = logging.getLogger(__name__)
_MOST_ERRORS = 10
_MOST_TEXT = 4_000
"""Characters of all sentences of an answer together, and so many of its details."""
_LONGEST_STEP = 200
"""Characters of a field's name or alias in the path of an error."""


class Endpoint:
    """The schema with its cache of parsed documents."""

    def __init__(self, schema: GraphQLSchema, introspection: bool = True) -> None:
        self.schema = schema
        self._documents = DocumentCache(schema, introspection)
        self._rows = schema_of_rows(schema)

    def run_rows(self, database: Database, settings: Settings, ids: Sequence[UUID]) -> list[JsonDocument]:
        """Runs as the lists of the UI show them; without those that are gone or can't be read."""
        return run_rows(self._rows, database, settings, ids)

    def answer(self, database: Database, settings: Settings, actor: Actor, body: Body, request_id: str) -> JsonDocument:
        """Run one operation and return the GraphQL response: data, errors or both."""
        context = Context(database, settings, actor)
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
