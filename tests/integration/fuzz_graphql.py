"""Documents of GraphQL, drawn from our own schema: the grammar of what a client may write, with strange values as literals and as variables."""

from __future__ import annotations

import json
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from tests.integration import fuzz


class Documents:
    """Draws requests to /graphql."""

    def __init__(self, schema: GraphQLSchema, draw: fuzz.Draw) -> None:
        self._schema, self._draw = schema, draw
        self._variables: dict[str, Any] = {}
        self._declared: list[str] = []

    def next(self) -> bytes:
        """The body of a request with one to three root fields, now and then broken."""
        pick = self._draw.random
        self._draw.strange = pick.choice((0.0, 0.02, 0.1))
        self._variables, self._declared = {}, []
        kind = pick.choice(("query", "mutation"))
        root = self._schema.query_type if kind == "query" else self._schema.mutation_type
        assert root is not None
        fields = " ".join(
            f"a{number}: {self._field(root, pick.choice(list(root.fields)), 0)}"
            for number in range(pick.choice((1, 1, 1, 3)))
        )
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        text = f"{kind} Q{declared} {{ {fields} }}"
        if pick.random() < 0.03:
            at = pick.randrange(len(text))
            text = (
                text[:at]
                + pick.choice((*fuzz.TEXTS[:20], "{", "}", "...", "$", "@skip(if: true)", '"""'))
                + text[at + 1 :]
            )
        return fuzz.encode({"query": text, "variables": self._variables})

    def _field(self, parent: GraphQLObjectType, name: str, depth: int) -> str:
        field = parent.fields[name]
        arguments = []
        for key, argument in field.args.items():
            if is_non_null_type(argument.type) or self._draw.random.random() < 0.35:
                arguments.append(f"{key}: {self._argument(key, argument.type)}")
        inner = get_named_type(field.type)
        text = name + (f"({', '.join(arguments)})" if arguments else "")
        if is_object_type(inner):
            text += f" {{ {self._selection(inner, depth + 1)} }}"
        return text

    def _selection(self, kind: GraphQLObjectType, depth: int) -> str:
        pick = self._draw.random
        plain = [name for name, field in kind.fields.items() if not is_object_type(get_named_type(field.type))]
        deep = [name for name in kind.fields if name not in plain]
        chosen = pick.sample(plain, min(len(plain), pick.randint(1, 4)))
        if deep and depth < 4 and (not plain or pick.random() < 0.6):
            chosen.append(pick.choice(deep))
        return " ".join(self._field(kind, name, depth) for name in chosen) or "__typename"

    def _argument(self, key: str, kind: Any) -> str:
        if self._draw.random.random() < 0.5:
            name = f"v{len(self._declared)}"
            self._declared.append(f"${name}: {kind}")
            self._variables[name] = self._value(key, kind)
            return f"${name}"
        return _literal(self._value(key, kind), get_named_type(kind))

    def _value(self, key: str, kind: Any) -> Any:
        pick = self._draw.random
        if is_non_null_type(kind):
            return self._value(key, kind.of_type)
        if pick.random() < 0.05:
            return None
        if is_list_type(kind):
            return [self._value(key, kind.of_type) for _ in range(pick.randint(0, 3))]
        if isinstance(kind, GraphQLEnumType):
            return pick.choice([*kind.values, "NOTHING"] if pick.random() < 0.1 else list(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return {
                name: self._value(name, field.type)
                for name, field in kind.fields.items()
                if is_non_null_type(field.type) or pick.random() < 0.3
            }
        return self._draw.value(_SCALARS.get(kind.name, {}), _snake(key))


_SCALARS: dict[str, Any] = {
    "Int": {"type": "integer"},
    "BigInt": {"type": "integer"},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "ID": {"type": "string", "format": "uuid"},
    "UUID": {"type": "string", "format": "uuid"},
    "DateTime": {"type": "string", "format": "date-time"},
    "JSON": {"type": "object"},
}


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _literal(value: Any, kind: Any) -> str:
    if isinstance(value, dict):
        fields = getattr(kind, "fields", {})
        inner = ", ".join(
            f"{key}: {_literal(item, get_named_type(fields[key].type) if key in fields else None)}"
            for key, item in value.items()
            if key.isidentifier() and key.isascii()
        )
        return f"{{{inner}}}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item, kind) for item in value) + "]"
    if isinstance(kind, GraphQLEnumType) and isinstance(value, str):
        return value
    return json.dumps(value)
