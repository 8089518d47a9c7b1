"""Writes the Python reference page when the documentation is built: every name that `appliance` exports, by subject."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = "python.md"
SUBJECTS = {
    "Flows and tasks": ("flow", "flow_decorator", "task", "task_decorator", "building", "drawing", "saved"),
    "Parameters": ("parameter",),
    "Mapping": ("annotations", "apply_map"),
    "Control flow": ("control", "resources"),
    "Child flows": ("child_flows", "child_run_tasks"),
    "Retries": ("retries",),
    "States": ("states",),
    "Signals": ("signals",),
    "Triggers": ("triggers",),
    "Schedules": (
        "schedules",
        "clocks",
        "calendars",
        "filters",
        "adjustments",
    ),
    "Results": ("results", "result_serializers"),
    "Caching": ("cache_validators", "fingerprints"),
    "Executors": ("executors",),
    "Inside a run": ("context", "logs", "secrets"),
    "Where runs execute": ("run_config", "container_runs", "storage"),
}


def exported(source: str) -> dict[str, str]:
    """The names in `__all__` of the root package, each with its full path."""
    tree = ast.parse(source)
    origins: dict[str, str] = {}
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
    return {name: origins[name] for name in names if name in origins}


def more_of_schedules() -> list[str]:
    """What the package of schedules exports beyond the names that are in the root package as well."""
    packages = (ROOT / "appliance" / "schedules", ROOT / "appliance")
    own, root = (exported((package / "__init__.py").read_text(encoding="utf-8")) for package in packages)
    return [name for name in own if name not in root]


def markdown() -> str:
    """The page: the names of each subject; mkdocstrings fills in their docstrings."""
    chapters: dict[str, list[str]] = {subject: [] for subject in SUBJECTS}
    for name, origin in exported((ROOT / "appliance" / "__init__.py").read_text(encoding="utf-8")).items():
        if name != "__version__":
            chapters[_subject(origin)].append(name)
    parts = [
        "# Python reference\n\nEvery name you can import from `appliance`. [Modules](coming-from-prefect.md#imports) have those of one subject. `appliance.__version__` is the version as a string.\n"
    ]
    for subject, names in chapters.items():
        if names:
            parts.append(f"## {subject}\n")
            parts += [f"::: appliance.{name}\n" for name in names]
            if subject == "Schedules":
                parts += [f"::: appliance.schedules.{name}\n" for name in more_of_schedules()]
            if "Flow" in names:
                parts.append(
                    "### Options of `flow.run()`\n\n::: appliance.engine.run.run_flow\n    options: {heading_level: 4}\n"
                )
    parts.append(
        "## Testing\n\n`from appliance.testing import ...`; see [testing](tutorial.md#testing).\n\n::: appliance.testing\n"
    )
    parts.append(
        "## Messages\n\n`from appliance import notify`; see [messages](writing-flows.md#messages-from-a-run).\n\n::: appliance.notify\n"
    )
    parts.append("## Task library\n\nSee [the task library](tasks.md).\n")
    parts += [f"::: {name}\n    options: {{inherited_members: [__init__, run]}}\n" for name in tasks_of_the_library()]
    return "\n".join(parts)


def tasks_of_the_library() -> list[str]:
    """What the modules of its subjects export, with full paths."""
    modules = [path for path in sorted((ROOT / "appliance" / "tasks").glob("*.py")) if path.stem != "__init__"]
    return [f"appliance.tasks.{path.stem}.{name}" for path in modules for name in _all(path)]


def _all(path: Path) -> list[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _subject(origin: str) -> str:
    """The chapter of a name: by its own name or its module's, else by a package above it."""
    parts = origin.split(".")
    for subject, modules in SUBJECTS.items():
        if parts[-2] in modules or parts[-1] in modules:
            return subject
    for subject, modules in SUBJECTS.items():
        if set(parts) & set(modules):
            return subject
    raise ValueError(f"{origin} belongs to no subject; add its module to SUBJECTS in docs/reference.py.")


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """The hook that mkdocs calls for every page."""
    return markdown() if page.file.src_uri == PAGE else text
