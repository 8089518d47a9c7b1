"""Draws the graph of a flow as text: as SVG, or as plain text for a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal

from appliance.core.drawing.picture import picture_of
from appliance.core.drawing.svg import svg
from appliance.core.drawing.text import text
from appliance.core.graph import Graph
from appliance.core.states import State
from appliance.core.task import Task

FORMATS = {"svg": svg, "ascii": text}
_BINARY = frozenset({".png", ".pdf", ".jpg", ".jpeg", ".gif", ".webp", ".ps", ".eps"})


def format_of(filename: str | os.PathLike[str]) -> Literal["svg", "ascii"]:
    """The format that the extension of a file names. Raises ValueError for one that would need other software."""
    suffix = PurePath(filename).suffix.lower()
    if suffix in _BINARY:
        raise ValueError(f"A flow can't be drawn as {suffix[1:]!r}; name the file .svg or .txt.")
    return "svg" if suffix == ".svg" else "ascii"


def draw(name: str, graph: Graph, state: State | Mapping[Task, State] | None, format: str) -> str:
    """The drawing as text. Raises TypeError and ValueError for a state or a format that can't be drawn."""
    picture = picture_of(name, graph, _task_states(state))
    if format not in FORMATS:
        raise ValueError(f"A flow can't be drawn as {format!r}; choose 'svg' or 'ascii'.")
    return FORMATS[format](picture)


def _task_states(state: State | Mapping[Task, State] | None) -> Mapping[Task, State]:
    if state is None:
        return {}
    states = state.result if isinstance(state, State) else state
    if isinstance(states, Mapping):
        return states
    raise TypeError("A flow is drawn with the state that flow.run() returned, or with a dict of tasks and states.")
