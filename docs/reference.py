"""Writes the page of the Python reference when the documentation is built: every name that `appliance` exports, by subject."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = "python.md"
SUBJECTS = {
    "Flows and tasks": ("flow", "flow_decorator", "task", "drawing", "saved"),
    "Parameters": ("parameter",),
    "Mapping": ("annotations", "apply_map"),
    "Control flow": ("control", "resources"),
    "Retries": ("retries",),
    "States": ("states",),
    "Signals": ("signals",),
    "Triggers": ("triggers",),
    "Schedules": (
        "schedules",
        "clocks",
        "calendars",
        "schedule_filters",
        "schedule_adjustments",
        "filters",
        "adjustments",
    ),
    "Results": ("results", "local_result", "memory", "object_stores", "sftp", "addresses", "serializers"),
    "Caching": ("caching", "fingerprints"),
    "Executors": ("executors",),
    "Inside of runs": ("context", "logs", "secrets"),
    "Where runs work": ("run_config", "storage"),
}
REST = "More"


def exported(source: str) -> dict[str, str]:
    """The names in `__all__` of the front door, each with the module that it comes from."""
    tree = ast.parse(source)
    found: dict[str, str] = {}
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
    return {name: found[name] for name in names if name in found}


def markdown() -> str:
    """The page: under each subject its names, their text left to mkdocstrings."""
    chapters: dict[str, list[str]] = {subject: [] for subject in (*SUBJECTS, REST)}
    for name, origin in exported((ROOT / "appliance" / "__init__.py").read_text(encoding="utf-8")).items():
        if name != "__version__":
            chapters[_subject(origin)].append(name)
    parts = [
        "# Python reference\n\nEverything that `from appliance import ...` gives. `appliance.__version__` is the version as text.\n"
    ]
    for subject, names in chapters.items():
        if names:
            parts.append(f"## {subject}\n")
            parts += [f"::: appliance.{name}\n" for name in names]
            if "Flow" in names:
                parts.append(
                    "### Options of `flow.run()`\n\n::: appliance.engine.run.run_flow\n    options: {heading_level: 4}\n"
                )
    parts.append(
        "## Testing\n\n`from appliance.testing import ...`; see [testing](tutorial.md#testing).\n\n::: appliance.testing\n"
    )
    return "\n".join(parts)


def _subject(origin: str) -> str:
    parts = origin.split(".")
    for subject, modules in SUBJECTS.items():
        if parts[-2] in modules or parts[-1] in modules:
            return subject
    return next((s for s, modules in SUBJECTS.items() if set(parts) & set(modules)), REST)


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """mkdocs asks this of every page."""
    return markdown() if page.file.src_uri == PAGE else text
