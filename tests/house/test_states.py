"""State rules live in `domain/`, and one module writes flow runs' states: found in the syntax of the actions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.server.domain.transitions import TYPES

ACTIONS = Path(__file__).resolve().parents[2] / "appliance" / "server" / "actions"
MODULES = sorted(ACTIONS.rglob("*.py"))
COLUMNS = {"state_type", "state_name"}
CONSTANTS = {*TYPES, "TERMINAL", "LIVE", "HANDED_BACK", "TYPES"}
WRITER = "appliance.server.db.writes.states"
WRITING = {"change", "add", "row", "columns"}
"""The functions of the writer that store a state; all others lock, read or prepare."""
MAY_COMPARE = {
    ("report_rows.py", "_apply"): "the columns of a task run that follow from its state, worked out for every event",
}


def branches(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Function and line of each comparison or match of a state's type or name."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Compare) and any(map(_is_state, (node.left, *node.comparators))):
                    yield function.name, node.lineno
                if isinstance(node, ast.Match) and (_is_state(node.subject) or any(map(_has_state, node.cases))):
                    yield function.name, node.lineno


def _has_state(case: ast.match_case) -> bool:
    return any(isinstance(node, ast.expr) and _is_state(node) for node in ast.walk(case.pattern))


def _is_state(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_is_state, node.elts))
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in COLUMNS
    if isinstance(node, ast.Attribute):
        return node.attr in COLUMNS | CONSTANTS
    if isinstance(node, ast.Name):
        return node.id in COLUMNS | CONSTANTS
    return isinstance(node, ast.Constant) and node.value in TYPES


def writes(tree: ast.AST) -> Iterator[int]:
    """The lines that use a writing function of the database's writer of states, under whatever name it was imported."""
    modules, package = set(), WRITER.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            modules |= {name.asname or name.name for name in node.names if name.name == "states"}
        if isinstance(node, ast.ImportFrom) and node.module == WRITER:
            yield from (node.lineno for name in node.names if name.name in WRITING)
    yield from (node.lineno for node in ast.walk(tree) if _is_writing(node, modules))


def _is_writing(node: ast.AST, modules: set[str]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and node.attr in WRITING
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ACTIONS)))
def test_no_action_decides_by_a_state(path: Path) -> None:
    hits = [
        f"{path.name}:{line} in {function}"
        for function, line in branches(ast.parse(path.read_text(encoding="utf-8")))
        if (path.name, function) not in MAY_COMPARE
    ]
    assert not hits, f"ask domain/transitions.py, verbs.py, repair.py or run_protocol.py instead: {hits}"


def test_every_exception_is_still_one() -> None:
    known = {(path.name, name) for path in MODULES for name, _ in branches(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(MAY_COMPARE) <= known


def test_one_module_writes_states() -> None:
    others = [path for path in MODULES if path != ACTIONS / "states.py"]
    hits = [f"{path.name}:{line}" for path in others for line in writes(ast.parse(path.read_text(encoding="utf-8")))]
    assert not hits, f"only actions/states.py writes states, since it asks the rules first: {hits}"
    assert list(writes(ast.parse((ACTIONS / "states.py").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        'if run.state_type != "SCHEDULED": ...',
        'if run.state_type in ("RUNNING", "CANCELLING"): ...',
        'if run.state_name == "Late": ...',
        'if run["state_type"] == other: ...',
        "if type in TERMINAL: ...",
        "if type not in transitions.LIVE: ...",
        'if "FAILED" == type: ...',
        "if event.type == SCHEDULED: ...",
        "return [one for one in rows if one.state_type == kind]",
        'match type:\n        case "SUCCESS": ...',
        "match run.state_name:\n        case name: ...",
    ],
)
def test_a_planted_branch_is_found(line: str) -> None:
    assert list(branches(ast.parse(f"def apply(run):\n    {line}\n")))


@pytest.mark.parametrize(
    "line",
    ["if run.version == seen: ...", 'if kind == "delete": ...', "return run.state_type", "if state is None: ..."],
)
def test_what_is_no_branch_on_a_state_is_left_alone(line: str) -> None:
    assert not list(branches(ast.parse(f"def apply(run):\n    {line}\n")))


@pytest.mark.parametrize(
    "source",
    [
        "from appliance.server.db.writes import flow_runs, states\nstates.add(session, rows)",
        "from appliance.server.db.writes import states as stored\nstored.change(session, id, 1, {})",
        "from appliance.server.db.writes.states import row",
        "from appliance.server.db.writes import states\nwrite = states.row",
    ],
)
def test_a_planted_writer_is_found(source: str) -> None:
    assert list(writes(ast.parse(source)))


def test_locking_and_preparing_are_no_writing() -> None:
    source = "from appliance.server.db.writes import states\nstates.lock(session, id)\nstates.due(now)"
    assert not list(writes(ast.parse(source)))
