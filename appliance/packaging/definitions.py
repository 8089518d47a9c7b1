"""Says whether a Python file can define a flow, from its text: files that can't are never executed when flows are looked for.

A file defines a flow if a statement at its top level gives a variable something that was made with `Flow`: directly, or by a function or a
class that itself uses `Flow`, here or in a module whose source can be found without importing anything. A file that assigns to `globals()[...]`
counts as one that can.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["maker", "flow"]
"""What a name stands for: something that makes flows when it is called, or a flow."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMESPACES = frozenset({"globals", "locals", "vars", "setattr"})
_TELLTALE = re.compile(rb"(?<![a-z])[Ff]low|appliance")
_MOST_FILES = 300


def defines_flow(file: Path, root: Path) -> bool:
    """Whether the file, whose modules are found from the folder `root`, can define a flow. Raises SyntaxError or OSError."""
    return _Search(root).defines(file.resolve())


@dataclass
class _Module:
    """A parsed module: what runs when it is imported, and which of these statements bind a name."""

    statements: list[ast.stmt]
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    stars: list[ast.ImportFrom] = field(default_factory=list)
    examined: bool = True
    """Whether its functions may make flows: in a library, only if its text has a word that points to them."""


class _Search:
    """Follows names through modules; each module is parsed once, and each name judged once."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._modules: dict[Path, _Module | None] = {}
        self._kinds: dict[tuple[Path, str], Kind | None] = {}

    def defines(self, file: Path) -> bool:
        self._modules[file] = module = _parsed(file.read_bytes())
        return any(self._binds_flow(file, statement) for statement in module.statements)

    def kind(self, file: Path, chain: Sequence[str]) -> Kind | None:
        """What a dotted name stands for in a module."""
        key = (file, ".".join(chain))
        if key not in self._kinds:
            self._kinds[key] = None  # for those that refer to each other in a circle
            self._kinds[key] = self._kind(file, chain)
        return self._kinds[key]

    def _kind(self, file: Path, chain: Sequence[str]) -> Kind | None:
        module = self._module(file)
        if module is None or not chain:
            return None
        for binding in module.bindings.get(chain[0], ()):
            kind = self._kind_of_binding(file, module, binding, chain)
            if kind is not None:
                return kind
        if chain[0] in module.bindings:
            return None
        kinds = (self._imported(file, star, chain[0], chain[1:]) for star in module.stars)
        return next(filter(None, kinds), None)

    def _kind_of_binding(self, file: Path, module: _Module, binding: ast.stmt, chain: Sequence[str]) -> Kind | None:
        if isinstance(binding, ast.ImportFrom):
            name = next(alias.name for alias in binding.names if (alias.asname or alias.name) == chain[0])
            return self._imported(file, binding, name, chain[1:])
        if isinstance(binding, ast.Import):
            return self._of_module(binding, chain)
        if not module.examined:
            return None
        if isinstance(binding, _FUNCTIONS):
            makes = _gives_something(binding) and self._uses_maker(file, binding.body)
            return "maker" if makes else None
        if isinstance(binding, ast.ClassDef):
            return "maker" if self._uses_maker(file, [*binding.bases, *binding.body]) else None
        if isinstance(binding, ast.Assign) and isinstance(binding.value, (ast.Name, ast.Attribute)):
            return self.kind(file, _chain(binding.value) or [])
        return "flow" if self._binds_flow(file, binding) else None

    def _imported(self, file: Path, statement: ast.ImportFrom, name: str, rest: Sequence[str]) -> Kind | None:
        if _is_ours(statement):
            return "maker" if "Flow" in (name, *rest) else None
        source = self._source(statement, file)
        kind = None if source is None else self.kind(source, [name, *rest])
        if kind is None and rest:  # `from package import module`
            inner = self._source(statement, file, name)
            kind = None if inner is None else self.kind(inner, rest)
        return kind

    def _of_module(self, statement: ast.Import, chain: Sequence[str]) -> Kind | None:
        for alias in statement.names:
            path = alias.name.split(".")
            if alias.asname is None and chain[: len(path)] == path:
                rest = chain[len(path) :]
            elif alias.asname is not None and alias.asname == chain[0]:
                rest = chain[1:]
            else:
                continue
            if path[0] == "appliance":
                return "maker" if "Flow" in rest else None
            source = self._file(path, [self._root])
            kind = None if source is None else self.kind(source, rest)
            if kind is not None:
                return kind
        return "maker" if chain[0] == "appliance" and "Flow" in chain else None

    def _binds_flow(self, file: Path, statement: ast.stmt) -> bool:
        """Whether a statement at the top level gives a variable a flow that is made here."""
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            value = statement.value
            if isinstance(statement, ast.Assign) and any(map(_is_in_namespace, statement.targets)):
                return True  # only running the file shows what
            alias = isinstance(value, (ast.Name, ast.Attribute))
            if value is None or alias:
                return False
            return self._uses_maker(file, [value]) or self._copies(file, value) or self._calls_chosen(file, value)
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            made = [item.context_expr for item in statement.items if item.optional_vars is not None]
            return self._uses_maker(file, made)
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            return self._uses_maker(file, [statement.iter]) or self._calls_each(file, statement)
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            return self._uses_maker(file, statement.decorator_list)
        if isinstance(statement, ast.Expr):
            walrus = [node.value for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)]
            return self._uses_maker(file, walrus) or self._fills_namespace(file, statement)
        return False

    def _fills_namespace(self, file: Path, statement: ast.Expr) -> bool:
        """`globals().update(...)`, here or in a function that is called here."""
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        module = self._module(file)
        called = [binding for name in names if module for binding in module.bindings.get(name, ())]
        bodies = [binding for binding in called if isinstance(binding, _FUNCTIONS)]
        inside = {node.id for body in bodies for node in ast.walk(body) if isinstance(node, ast.Name)}
        sets = any(isinstance(node, ast.Global) for body in bodies for node in ast.walk(body))
        fills = sets or bool(_NAMESPACES & (names | inside))
        return fills and self._uses_maker(file, [statement, *(part for body in bodies for part in body.body)])

    def _copies(self, file: Path, value: ast.expr) -> bool:
        calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
        chains = [_chain(call) or [] for call in calls]
        return any(chain[-1:] == ["copy"] and self.kind(file, chain[:-1]) == "flow" for chain in chains)

    def _calls_chosen(self, file: Path, value: ast.expr) -> bool:
        """`MAKERS["nightly"]()`, where MAKERS has to do with flows."""
        calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
        return any(self._mentions(file, call) for call in calls if isinstance(call, (ast.Subscript, ast.Call)))

    def _calls_each(self, file: Path, loop: ast.For | ast.AsyncFor) -> bool:
        """`for make in MAKERS: ... make()`, where MAKERS has to do with flows."""
        targets = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
        calls = [node.func for statement in loop.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
        makes = any(isinstance(call, ast.Name) and call.id in targets for call in calls)
        return makes and self._mentions(file, loop.iter)

    def _mentions(self, file: Path, expression: ast.expr) -> bool:
        """Whether it has a name that stands for flows or for what makes them."""
        chains = [chain for node in ast.walk(expression) if (chain := _chain(node)) is not None]
        return any(self.kind(file, chain[:length]) for chain in chains for length in range(1, len(chain) + 1))

    def _uses_maker(self, file: Path, nodes: Sequence[ast.AST]) -> bool:
        return any(self._is_maker(file, node) for top in nodes for node in ast.walk(top))

    def _is_maker(self, file: Path, node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom):
            return any(self._imported(file, node, alias.name, ()) == "maker" for alias in node.names)
        chain = _chain(node)
        return chain is not None and any(
            self.kind(file, chain[:length]) == "maker" for length in range(1, len(chain) + 1)
        )

    def _source(self, statement: ast.ImportFrom, file: Path, inner: str | None = None) -> Path | None:
        """The file that `from ... import` reads from, or that of a module inside that package."""
        path = [*(statement.module or "").split("."), inner or ""]
        folders = (
            [file.parents[min(statement.level, len(file.parents)) - 1]]
            if statement.level
            else [self._root, file.parent]
        )
        return self._file([part for part in path if part], folders, relative=statement.level > 0)

    def _file(self, path: Sequence[str], folders: Sequence[Path], relative: bool = False) -> Path | None:
        for folder in folders:
            if (file := _below(folder, path)) is not None:
                return file
        if relative or not path or path[0] in sys.stdlib_module_names:
            return None
        try:
            spec = importlib.util.find_spec(path[0])  # of a top-level module: nothing is executed
        except (ImportError, ValueError):
            return None
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        if len(path) == 1 and spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            return Path(spec.origin)
        return next(filter(None, (_below(Path(place), path[1:]) for place in places)), None)

    def _module(self, file: Path) -> _Module | None:
        if file not in self._modules and len(self._modules) < _MOST_FILES:
            try:
                text = file.read_bytes()
                self._modules[file] = module = _parsed(text)
                module.examined = self._root in file.parents or _TELLTALE.search(text) is not None
            except (OSError, SyntaxError, ValueError, RecursionError):
                self._modules[file] = None
        return self._modules.get(file)


def _is_in_namespace(target: ast.expr) -> bool:
    """`globals()[name]`"""
    place = target.value if isinstance(target, ast.Subscript) else None
    return isinstance(place, ast.Call) and isinstance(place.func, ast.Name) and place.func.id in _NAMESPACES


def _parsed(text: bytes) -> _Module:
    module = _Module(list(_top_level(ast.parse(text).body)))
    for statement in module.statements:
        for name in _bound_names(statement):
            module.bindings.setdefault(name, []).append(statement)
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            module.stars.append(statement)
    return module


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements that run on import: also those inside `if`, `try`, `with` and loops, but not under `__name__ == "__main__"`."""
    for statement in body:
        yield statement
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            continue
        is_main = isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test)
        for name in ("body", "orelse", "finalbody"):
            if not (is_main and name == "body"):
                yield from _top_level(getattr(statement, name, []))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _top_level(part.body)


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        from_package = isinstance(statement, ast.ImportFrom)
        return [
            alias.asname or (alias.name if from_package else alias.name.partition(".")[0]) for alias in statement.names
        ]
    parts: list[ast.AST] = [statement]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        parts = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    elif isinstance(statement, (ast.For, ast.AsyncFor)):
        parts = [statement.target]
    elif not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
        return []
    names = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)]
    return [node.id for node in names if isinstance(node.ctx, ast.Store)]


def _chain(node: ast.AST) -> list[str] | None:
    """The parts of a dotted name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        above = _chain(node.value)
        return None if above is None else [*above, node.attr]
    return None


def _gives_something(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    nodes = list(ast.walk(function))
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom)) or (isinstance(node, ast.Return) and node.value) for node in nodes
    )


def _is_ours(statement: ast.ImportFrom) -> bool:
    return not statement.level and (statement.module or "").partition(".")[0] == "appliance"


def _below(folder: Path, path: Sequence[str]) -> Path | None:
    place = folder.joinpath(*path)
    for file in (place.parent / f"{place.name}.py", place / "__init__.py"):
        if (path or file.name == "__init__.py") and file.is_file():
            return file.resolve()
    return None
