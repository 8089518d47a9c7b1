"""What a JSON schema is, in one flat schema: the library's own has a part for each vocabulary and looks through all of them for each node, which
takes sixteen times as long."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]


def check_schema(schema: Any) -> None:
    """Raise ValueError unless this is a JSON schema."""
    if not _validator().is_valid(schema):
        raise ValueError("This is not a JSON schema.")


@cache
def _validator() -> Draft202012Validator:
    whole: Any = Draft202012Validator.META_SCHEMA
    base = str(whole["$id"]).removesuffix("schema")
    flat: dict[str, Any] = {"type": whole["type"], "properties": {}, "$defs": {}}
    for part in [whole, *(REGISTRY.contents(base + part["$ref"]) for part in whole["allOf"])]:
        for key in ("properties", "$defs"):
            flat[key] |= _flattened(part.get(key, {}))
    return Draft202012Validator(flat, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _flattened(node: Any) -> Any:
    """The same, referring to the one schema wherever it refers to that of its vocabulary."""
    if isinstance(node, list):
        return [_flattened(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$dynamicRef"), str):  # otherwise, it is the property of that name
        return {"$ref": "#"}
    if isinstance(reference := node.get("$ref"), str):
        return {"$ref": "#" + reference.partition("#")[2]}
    return {key: _flattened(value) for key, value in node.items()}
