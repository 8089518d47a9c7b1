"""Limits on a GraphQL document: tokens, depth, aliases and expected objects, checked before anything runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    parse,
    specified_rules,
    validate,
    visit,
)

from appliance.kit.documents import JsonDocument
from appliance.server.db.reads import pages

MAX_DOCUMENT = 256 * 1024
"""For the text of the operations only: documents are cached, variables are not."""
MAX_TOKENS = 2_000
MAX_DEPTH = 10
MAX_ALIASES = 15
MAX_COST = 10_000
"""Maximum number of objects that one document may request. A page counts as its requested size."""

LONGEST_NUMBER = 40
"""Digits of a number in a document: what takes more doesn't fit any type, and is slow to convert."""

_INTROSPECTION = MAX_COST // 4  # it returns some thousand objects
_LIST = 5  # assumed length of a list without a page size
_DEAR = {
    "cause": 5,
    "waitReason": 2,
    "logCount": 5,
    "errorCount": 5,
    "total": 20,
    "attempts": 2,
    "logSearch": 20,
    "runHistogram": 40,
    "runSuggestions": 20,
    "flowHistory": 100,
    "flowTasks": 1_000,
}
_CACHED = 512


class DocumentCache:
    """Parsed and validated documents by text: the UI sends the same few over and over."""

    def __init__(self, schema: GraphQLSchema, introspection: bool = True) -> None:
        self._schema = schema
        self._rules = specified_rules if introspection else [*specified_rules, _NoIntrospection]
        self._known: OrderedDict[str, DocumentNode] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
        """The document, or its errors."""
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text], []
        if len(text) > MAX_DOCUMENT:
            return None, [GraphQLError(f"The document is too long; use at most {MAX_DOCUMENT} characters.")]
        try:
            document = parse(text, max_tokens=MAX_TOKENS, no_location=False)
        except GraphQLError as error:
            return None, [error]
        except RecursionError:
            return None, [GraphQLError("The document is nested too deeply.")]
        errors = _check_shape(document) or validate(
            self._schema, document, self._rules, max_errors=5, hide_suggestions=True
        )
        if errors:
            return None, errors
        with self._lock:
            self._known[text] = document
            while len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return document, []


class _NoIntrospection(ASTValidationRule):
    """Every schema says what an attacker would want to know of it."""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        if node.name.value in ("__schema", "__type"):
            self.report_error(
                GraphQLError(
                    "Introspection is off; an administrator can set APPLIANCE_GRAPHQL_INTROSPECTION=true.", node
                )
            )


@dataclass
class _Cost:
    """The expected number of objects for a document. Each fragment is counted once and cached."""

    schema: GraphQLSchema
    fragments: dict[str, FragmentDefinitionNode]
    variables: JsonDocument
    known: dict[str, int]

    def of(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> int:
        total = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                total += self._field(node, parent)
            elif isinstance(node, InlineFragmentNode):
                kind = self.schema.get_type(node.type_condition.name.value) if node.type_condition else parent
                total += self.of(node.selection_set, kind)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value)
            if total > MAX_COST:
                break
        return total

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> int:
        name = node.name.value
        if name in ("__schema", "__type"):
            return _INTROSPECTION
        if not isinstance(parent, GraphQLObjectType):
            return 0
        field = self.schema.get_field(parent, name)
        if field is None:
            return 0
        dear = _DEAR.get(name, 0)
        if node.selection_set is None:
            return dear
        inner = get_named_type(field.type)
        each = dear + 1 + self.of(node.selection_set, inner if is_object_type(inner) else None)
        if "first" in field.args:
            return self._first(node) * each
        kind = field.type.of_type if is_non_null_type(field.type) else field.type
        return each * _LIST if is_list_type(kind) and name != "items" else each

    def _first(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value: Any = None
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value)
                elif isinstance(argument.value, VariableNode):
                    value = self.variables.get(argument.value.name.value)
                if isinstance(value, int | float):  # GraphQL reads 200.0 as 200
                    return int(max(1, min(value, pages.MAX)))
        return pages.DEFAULT

    def _fragment(self, name: str) -> int:
        if name not in self.known:
            fragment = self.fragments[name]
            self.known[name] = self.of(fragment.selection_set, self.schema.get_type(fragment.type_condition.name.value))
        return self.known[name]


def check_cost(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, variables: JsonDocument
) -> list[GraphQLError]:
    """The error for an operation that expects too many objects, if it does."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode) or (
            operation_name is not None and (node.name is None or node.name.value != operation_name)
        ):
            continue
        defaults = {
            definition.variable.name.value: int(definition.default_value.value)
            for definition in node.variable_definitions or ()
            if isinstance(definition.default_value, IntValueNode)
        }
        cost = _Cost(schema, fragments, defaults | variables, {})
        total = cost.of(node.selection_set, schema.get_root_type(node.operation))
        if total > MAX_COST:
            return [
                GraphQLError(
                    f"The query requests too much at once (more than {MAX_COST} objects); request smaller pages."
                )
            ]
    return []


def _check_shape(document: DocumentNode) -> list[GraphQLError]:
    """Check depth and aliases before validation, because its cost grows with them."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    shape = _Shape(fragments)
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            if shape.depth(node.selection_set, frozenset()) > MAX_DEPTH:
                return [GraphQLError(f"The query is nested too deeply; use at most {MAX_DEPTH} levels.")]
        elif isinstance(node, FragmentDefinitionNode):
            shape.depth(node.selection_set, frozenset({node.name.value}))
    if shape.aliases > MAX_ALIASES:
        return [GraphQLError(f"The document has too many aliases; use at most {MAX_ALIASES}.")]
    literals = _Literals()
    visit(document, literals)
    return literals.errors


class _Literals(Visitor):
    """Looks for numbers that are too long to be one of any type, and texts that Postgres can't store."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[GraphQLError] = []

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        self._check(node)

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        self._check(node)

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if "\0" in node.value and not self.errors:
            self.errors.append(GraphQLError("A text contains a NUL character; remove it."))

    def _check(self, node: IntValueNode | FloatValueNode) -> None:
        if len(node.value) > LONGEST_NUMBER and not self.errors:
            self.errors.append(GraphQLError(f"A number has too many digits; use at most {LONGEST_NUMBER}."))


class _Shape:
    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._depths: dict[str, int] = {}
        self._seen: set[int] = set()
        self.aliases = 0

    def depth(self, selections: SelectionSetNode, inside: frozenset[str]) -> int:
        """The depth of the deepest field. Separate validation rules limit introspection and reject cycles."""
        deepest = 0
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._count(node)
                below = self.depth(node.selection_set, inside) if node.selection_set else 0
                deepest = max(deepest, 0 if node.name.value.startswith("__") else 1 + below)
            elif isinstance(node, InlineFragmentNode):
                deepest = max(deepest, self.depth(node.selection_set, inside))
            elif isinstance(node, FragmentSpreadNode):
                deepest = max(deepest, self._of_fragment(node.name.value, inside))
        return deepest

    def _of_fragment(self, name: str, inside: frozenset[str]) -> int:
        if name in inside or name not in self._fragments:
            return 0
        if name not in self._depths:
            self._depths[name] = self.depth(self._fragments[name].selection_set, inside | {name})
        return self._depths[name]

    def _count(self, node: FieldNode) -> None:
        if node.alias is not None and id(node) not in self._seen:
            self._seen.add(id(node))
            self.aliases += 1
