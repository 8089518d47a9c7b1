"""The live display of a run on a terminal: a tree of running, waiting and failed tasks, below the lines that tasks print."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from appliance.core.logs import ROOT
from appliance.engine.progress_counts import Counts, Row
from appliance.kit import clock
from appliance.kit.printable import printable

_PER_SECOND = 8
_MARGIN = 4
"""Lines of the terminal that stay free for output of tasks."""


@contextmanager
def live(counts: Counts) -> Iterator[None]:
    """Draw until the block ends. Then the display disappears and only the printed lines remain."""
    console = Console(file=sys.stderr, force_terminal=True, highlight=False)
    view = _View(counts, console)
    display = Live(
        get_renderable=view.render,
        console=console,
        refresh_per_second=_PER_SECOND,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # output to a file is left alone
        redirect_stderr=True,
    )
    out, err = sys.stdout, sys.stderr
    with display:
        moves = _move_handlers({id(out): sys.stdout, id(err): sys.stderr})
        try:
            yield
        finally:
            for handler, stream in moves:
                handler.setStream(stream)
            sys.stdout.flush()
            sys.stderr.flush()


def _move_handlers(streams: dict[int, Any]) -> list[tuple[logging.StreamHandler[Any], Any]]:
    """Make the program's own log handlers write above the display too. Returns each handler with the stream to restore."""
    moves = []
    for logger in (logging.getLogger(), logging.getLogger(ROOT)):
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler and id(handler.stream) in streams:
                moves.append((handler, handler.stream))
                handler.setStream(streams[id(handler.stream)])
    return moves


class _View:
    def __init__(self, counts: Counts, console: Console) -> None:
        self._counts, self._console, self._began = counts, console, clock.monotonic()

    def render(self) -> RenderableType:
        """The current tree, up to the height of the terminal."""
        self._counts.catch_up()
        elapsed = clock.monotonic() - self._began
        head = f"{printable(self._counts.name)}  {_duration(elapsed)}  {self._counts.line()}"
        tree = Tree(Text(head, style="bold", overflow="ellipsis", no_wrap=True))
        rows = sorted(self._counts.rows(), key=_urgency)
        room = max(1, self._console.size.height - _MARGIN)
        visible = rows if len(rows) <= room else rows[: room - 1]
        for row in visible:
            tree.add(_line(row))
        if len(visible) < len(rows):
            tree.add(Text(f"and {len(rows) - len(visible)} more", style="dim"))
        return tree


def _urgency(row: Row) -> int:
    return 0 if row.running else 1 if row.waiting else 2 if row.done < row.total else 3


def _line(row: Row) -> Text:
    name = printable(row.slug).replace("\n", "\\n")
    parts = [f"{row.done}/{row.total}"] if row.mapped else []
    if row.failed:
        parts.append(f"{row.failed} failed" if row.mapped else "failed")
    if row.running:
        parts.append(f"{row.running} running" if row.mapped else "running")
    if row.waiting:
        parts.append(_waits(row))
    style = "red" if row.failed else "yellow" if row.waiting else "cyan" if row.running else ""
    return Text(f"{name}  {', '.join(parts)}", style=style, overflow="ellipsis", no_wrap=True)


def _waits(row: Row) -> str:
    count = f"{len(row.waiting)} " if row.mapped else ""
    times = [at for at in row.waiting if at is not None]
    if not times:
        return f"{count}paused"
    left = max(0, math.ceil((min(times) - clock.now()).total_seconds()))
    return f"{count}retrying in {_duration(left)}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"
