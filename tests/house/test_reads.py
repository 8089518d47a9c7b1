"""No read is open while its caller waits for somebody: a client that stalls would hold a snapshot of the database."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import appliance

SERVER = Path(appliance.__file__).parent / "server"
_WAITS = (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith)


def _reads(tree: ast.AST) -> Iterator[ast.With]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "read":
                    yield node


def waiting(source: str) -> list[int]:
    """The lines where something is awaited or yielded while a read is open."""
    return [
        node.lineno
        for read in _reads(ast.parse(source))
        for statement in read.body
        for node in ast.walk(statement)
        if isinstance(node, _WAITS)
    ]


def test_no_read_waits() -> None:
    found = {
        f"{path.relative_to(SERVER)}:{line}"
        for path in SERVER.rglob("*.py")
        for line in waiting(path.read_text("utf-8"))
    }
    assert found == set(), "read first, and send what was read when the read is over"


def test_a_read_that_waits_is_found() -> None:
    assert waiting("def f(db):\n    with db.read() as session:\n        yield session.one()\n") == [3]
    assert waiting("async def f(db):\n    with db.read():\n        await send()\n    await send()\n") == [3]
