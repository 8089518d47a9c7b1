"""The drawing of a flow as plain text for a terminal: one line per task, with lanes beside it for its results."""

from __future__ import annotations

from appliance.core.drawing.picture import Arrow, Box, Picture

_MOST_LANES = 40
_MOST_NAMES = 8


def text(picture: Picture) -> str:
    """Lanes run from each task down to the last task that depends on it; a flow that is too wide for lanes becomes a list."""
    drawn = _lanes(picture)
    lines = [f"{picture.name}: {picture.summary()}", "", *(_list(picture) if drawn is None else drawn)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _incoming(picture: Picture) -> list[list[Arrow]]:
    incoming: list[list[Arrow]] = [[] for _ in picture.boxes]
    for arrow in picture.arrows:
        incoming[arrow.target].append(arrow)
    return incoming


def _lanes(picture: Picture) -> list[str] | None:
    incoming = _incoming(picture)
    last = list(range(len(picture.boxes)))
    for arrow in picture.arrows:
        last[arrow.source] = max(last[arrow.source], arrow.target)
    lanes: list[int | None] = []  # which task's result runs in each lane
    lines: list[str] = []
    for number, box in enumerate(picture.boxes):
        sources = {arrow.source: arrow for arrow in incoming[number]}
        joined = {place: sources[task] for place, task in enumerate(lanes) if task is not None and task in sources}
        ending = [place for place, arrow in joined.items() if last[arrow.source] == number]
        free = (place for place, task in enumerate(lanes) if task is None)
        own = min(ending) if ending else next(free, len(lanes))
        if own == len(lanes):
            lanes.append(None)
        if len(lanes) > _MOST_LANES:
            return None
        if joined:
            lines.append(_joint(lanes, joined, set(ending), own))
        for place in ending:
            lanes[place] = None
        lanes[own] = number
        row = " ".join("o" if place == own else "|" if task is not None else " " for place, task in enumerate(lanes))
        lines.append(f"{row.rstrip()}  {_label(box)}")
        if last[number] == number:
            lanes[own] = None
    return lines


def _joint(lanes: list[int | None], joined: dict[int, Arrow], ending: set[int], own: int) -> str:
    """The line above a task, which joins the lanes of its upstream tasks to its own."""
    ends = [*joined, own]
    low, high = min(ends), max(ends)
    cells: list[str] = []
    for place, task in enumerate(lanes):
        inside = low < place < high
        if place == own:
            cell = "|" if low == high else "+" if place in joined or task is not None else "."
        elif place in joined:
            cell = "'" if place in ending else "+"
        else:
            cell = "|" if task is not None else "-" if inside else " "
        cells.append(cell)
    row = cells[0]
    for place in range(1, len(cells)):
        between = low < place <= high
        row += ("-" if between else " ") + cells[place]
    return row


def _label(box: Box) -> str:
    marks = " [mapped]" if box.mapped else " (parameter)" if box.kind == "parameter" else ""
    return f"{box.slug}{marks}{f'  {box.status}' if box.status else ''}"


def _list(picture: Picture) -> list[str]:
    lines = []
    for box, arrows in zip(picture.boxes, _incoming(picture), strict=True):
        names = [picture.boxes[arrow.source].slug for arrow in arrows[:_MOST_NAMES]]
        more = f" and {len(arrows) - _MOST_NAMES} more" if len(arrows) > _MOST_NAMES else ""
        lines.append(_label(box) + (f"  <- {', '.join(names)}{more}" if names else ""))
    return lines
