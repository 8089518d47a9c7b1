"""Requests that hardly anybody would send, drawn from our own OpenAPI document and GraphQL schema: the right shape with a wrong value here and
there. What comes back must be an answer, never a fault, and what is refused must have changed nothing."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlalchemy import event

from appliance.server.db.session import Database

TIMES = (
    *("2026-03-02T08:00:00Z", "2026-03-02T08:00:00+02:00", "2026-03-02T08:00:00.123456-11:30"),
    *("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z"),
    *("1999-12-31T23:59:59Z", "2000-01-01T00:00:00+14:00", "2099-12-31T23:59:59-12:00", "2100-01-01T00:00:00Z"),
    *(
        "2026-02-30T00:00:00Z",
        "2026-03-02",
        "2026-03-02T08:00:00",
        "10000-01-01T00:00:00Z",
        "now",
        "2026-03-02T23:59:60Z",
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "etl",
        "p",
        "\0",
        "a\0b",
        "\x1b[2J",
        "a\nb",
        "a\rb",
        "\u202eabc",
        "\u2028",
        "\ufeff",
        "e\u0301" * 40,
        "\U0001f600",
    ),
    *(
        "x" * 201,
        "x" * 301,
        "x" * 5_000,
        "ä" * 70_000,
        "%",
        "_",
        "\\",
        "' OR 1=1--",
        "$.a'||",
        "../../etc",
        "{{7*7}}",
        "__proto__",
    ),
    *(
        "-",
        "null",
        "0",
        "[",
        '"',
        "e30",
        "MQ",
        "\ud800",
        "a\udfffb",
        "\uffff",
        "Mars/Phobos",
        "R * * * *",
        "FREQ=SECONDLY",
    ),
)
NUMBERS = (
    *(
        0,
        1,
        2,
        -1,
        5,
        100,
        201,
        2**31 - 1,
        2**31,
        -(2**31) - 1,
        2**32,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
    ),
    *(10**30, 10**400, 0.5, -0.0, 1e-300, 1e308, -1e308, 1.5e15, 1e12, 31_536_000, 31_536_001),
)
OTHERS = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    {"": {}},
    {"a\0": "b\0"},
    [None],
    {"a": [10**30, 1e308]},
    [1, "1", {"x": [[[[]]]]}],
)
WORDS = (
    "ok",
    "Running",
    "Success",
    "RUNNING",
    "p",
    "etl",
    "extract-1",
    "load-1",
    "all",
    "skip",
    "allow",
    "a-fine-password-1",
    "user1",
)
_NO_ID = "00000000-0000-0000-0000-000000000007"


@dataclass
class Asked:
    """One request, as it can be sent again."""

    method: str
    path: str
    body: bytes | None
    principal: str
    headers: dict[str, str] = field(default_factory=dict)


class Draw:
    """Draws values for JSON schemas. `strange` is the share of values that are not what the schema asks for."""

    def __init__(
        self, seed: int, components: dict[str, Any], ids: Callable[[], dict[str, list[str]]], strange: float = 0.12
    ) -> None:
        self.random = random.Random(seed)
        self._components, self._ids, self.strange = components, ids, strange

    def value(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        pick = self.random
        if pick.random() < self.strange:
            return pick.choice([pick.choice(TEXTS), pick.choice(NUMBERS), pick.choice(TIMES), pick.choice(OTHERS)])
        if "$ref" in schema:
            return self.value(self._components["schemas"][schema["$ref"].rpartition("/")[2]], name, depth)
        if "enum" in schema:
            return pick.choice(schema["enum"])
        if "anyOf" in schema or "oneOf" in schema:
            return self.value(pick.choice(schema.get("anyOf") or schema["oneOf"]), name, depth)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            most = 0 if depth > 6 else 3
            return [self.value(schema.get("items", {}), name, depth + 1) for _ in range(pick.randint(0, most))]
        return self._plain(schema, kind, name)

    def _object(self, schema: Any, depth: int) -> dict[str, Any]:
        pick, required = self.random, set(schema.get("required", ()))
        found = {
            key: self.value(inner, key, depth + 1)
            for key, inner in schema.get("properties", {}).items()
            if (key in required and pick.random() > 0.02) or (key not in required and pick.random() < 0.4)
        }
        if not schema.get("properties") and depth < 6:
            for _ in range(pick.randint(0, 2)):
                found[pick.choice((*TEXTS[:24], "x", "type", "clocks", "cron"))] = self.value(
                    schema.get("additionalProperties") or {}, "", depth + 1
                )
        if pick.random() < 0.02:
            found[pick.choice(TEXTS)] = pick.choice(NUMBERS)
        return found

    def _plain(self, schema: Any, kind: Any, name: str) -> Any:
        pick = self.random
        if kind == "string" and schema.get("format") == "uuid":
            fitting = self._ids().get(name.removesuffix("s").removesuffix("_id"), [])
            return pick.choice(fitting) if fitting and pick.random() < 0.9 else pick.choice((*TEXTS[:4], _NO_ID))
        if kind == "string" and schema.get("format") == "date-time":
            return pick.choice(TIMES)
        if kind == "string":
            return pick.choice(TEXTS) if pick.random() < 0.3 else pick.choice(WORDS)
        if kind in ("integer", "number"):
            return pick.choice(NUMBERS) if pick.random() < 0.3 else pick.randint(0, 3)
        if kind == "boolean":
            return pick.random() < 0.5
        return None if kind == "null" else pick.choice([*TEXTS[:8], *NUMBERS[:6], *OTHERS])


def encode(value: Any) -> bytes:
    """JSON with whatever the value holds, NaN and lone surrogates included."""
    return json.dumps(value).encode()


def request_of(draw: Draw, path: str, method: str, operation: dict[str, Any], principal: str) -> Asked:
    """A request for one operation of the document. Many are right but for one thing, so that they get far."""
    pick = draw.random
    draw.strange = pick.choice((0.0, 0.02, 0.05, 0.15))
    query: list[str] = []
    headers: dict[str, str] = {}
    for parameter in operation["parameters"]:
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            value = draw.value(parameter["schema"], name) if pick.random() < 0.9 else pick.choice(TEXTS)
            path = path.replace("{" + name + "}", quoted(value) or "-")
        elif place == "query" and pick.random() < 0.4:
            given = draw.value(parameter["schema"], name)
            for item in given if isinstance(given, list) else [given]:
                query.append(f"{name}={quoted(item)}")
        elif place == "header" and pick.random() < 0.3:
            headers[name] = re.sub(r"[^\x20-\x7e]", "", str(draw.value(parameter["schema"])))[:300].strip()
    body = None
    if "requestBody" in operation:
        document = draw.value(operation["requestBody"]["content"]["application/json"]["schema"])
        if isinstance(document, dict) and isinstance(document.get("wait_s"), int | float):
            document["wait_s"] = min(document["wait_s"], 0)
        body = encode(document)
    return Asked(method.upper(), path + ("?" + "&".join(query) if query else ""), body, principal, headers)


def quoted(value: Any) -> str:
    """The value in an address."""
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text.encode("utf-8", "surrogatepass")[:3_000], safe="")


class Watch:
    """Notices what a request commits, by the tables that it changes."""

    _CHANGE = re.compile(r"\s*(?:insert\s+into|update|delete\s+from)\s+\"?(\w+)", re.IGNORECASE)

    def __init__(self) -> None:
        self.committed: Counter[str] = Counter()

    @contextmanager
    def on(self, database: Database) -> Iterator[Watch]:
        engine = database.engine
        pending: dict[int, Counter[str]] = {}

        def execute(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            match = self._CHANGE.match(statement)
            if match is not None:
                pending.setdefault(id(connection.connection.dbapi_connection), Counter())[match[1]] += 1

        def commit(connection: Any) -> None:
            self.committed += pending.pop(id(connection.connection.dbapi_connection), Counter())

        def rollback(connection: Any) -> None:
            pending.pop(id(connection.connection.dbapi_connection), None)

        listeners = {"after_cursor_execute": execute, "commit": commit, "rollback": rollback}
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
        try:
            yield self
        finally:
            for name, listener in listeners.items():
                event.remove(engine, name, listener)
