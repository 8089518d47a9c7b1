"""The drawing of a flow as SVG: no scripts, no styles that leak out, legible on light and dark backgrounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from html import escape

from appliance.core.drawing.layout import Layout, layout
from appliance.core.drawing.picture import Arrow, Box, Picture

_MARGIN, _STACK = 16.0, 4.0
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LINE, _INK, _QUIET = "#7b879b", "#1b2430", "#4a5565"
_MOST_LABELS = 200
_COLOURS = {
    "Pending": "#7ebdff",
    "Scheduled": "#ffab00",
    "Late": "#ffab00",
    "Paused": "#99a8e8",
    "Resume": "#f58c0c",
    "Retrying": "#f66a0a",
    "Submitted": "#ffdf5d",
    "Queued": "#ffea7f",
    "Running": "#3d67ff",
    "Cancelling": "#a8a8a8",
    "Finished": "#003ccb",
    "Looped": "#003ccb",
    "Mapped": "#003ccb",
    "Success": "#28a745",
    "Cached": "#34d058",
    "Skipped": "#62757f",
    "Cancelled": "#8d8d8d",
    "Failed": "#eb0000",
    "TimedOut": "#ff4e33",
    "TriggerFailed": "#ff5131",
    "ValidationFailed": "#ff5131",
    "Crashed": "#b00020",
}
_KINDS = {"task": ("#f6f8fb", "#8391a7"), "parameter": ("#eef1ff", "#7f8bd9"), "plumbing": ("#fbfcfd", "#a6b0c0")}


def svg(picture: Picture) -> str:
    """A whole SVG document."""
    sizes = [_size(box) for box in picture.boxes]
    plan = layout(
        [width for width, _ in sizes],
        [height for _, height in sizes],
        [(arrow.source, arrow.target) for arrow in picture.arrows],
    )
    width, height = plan.width + 2 * _MARGIN, plan.height + 2 * _MARGIN
    summary = escape(picture.summary())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}" font-family="{escape(_FONT)}" font-size="13">',
        f"<title>Flow {escape(picture.name)}</title>",
        f"<desc>{summary}</desc>",
        *_arrows(picture, plan, sizes),
        *(_box(box, plan.x[n], plan.y[n], *sizes[n]) for n, box in enumerate(picture.boxes)),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _size(box: Box) -> tuple[float, float]:
    """Width and height, with the stack that a mapped task is drawn as."""
    inner = max(_text_width(_short(box.label), 13.0), _text_width(box.status, 11.0) + 12 if box.status else 0.0)
    stack = 2 * _STACK if box.mapped else 0.0
    plain = 28.0 if box.kind == "plumbing" else 34.0
    return max(inner + 28, 56.0) + stack, (50.0 if box.status else plain) + stack


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _text_width(text: str, size: float) -> float:
    """Approximately the width in a common sans-serif font, overestimated rather than underestimated."""
    wide = sum(
        0.32
        if c in "iIjl.,:;|!'()[] "
        else 0.4
        if c in 'frt-"'
        else 0.9
        if c in "mwMW@%—"
        else 1.0
        if ord(c) > 0x2E80
        else 0.68
        if c.isupper()
        else 0.58
        for c in text
    )
    return wide * size


def _box(box: Box, x: float, y: float, width: float, height: float) -> str:
    fill, stroke = _KINDS[box.kind]
    if box.outcome is not None:
        colour = _COLOURS.get(box.outcome, _LINE)
        fill, stroke = _tint(colour, 0.13), colour
    stack = 2 * _STACK if box.mapped else 0.0
    left, top, wide, high = x - width / 2, y - height / 2, width - stack, height - stack
    radius = high / 2 if box.kind == "parameter" else 7.0
    parts = [f"<g><title>{escape(box.hint)}</title>"]
    for depth in (2, 1, 0) if box.mapped else (0,):
        shift = depth * _STACK
        parts.append(
            f'<rect x="{left + shift:.1f}" y="{top + shift:.1f}" width="{wide:.1f}" height="{high:.1f}" '
            f'rx="{radius:.1f}" fill="{fill}" stroke="{stroke}" stroke-width="1.3"/>'
        )
    middle = left + wide / 2
    ink = _QUIET if box.kind == "plumbing" else _INK
    weight = "" if box.kind == "plumbing" else ' font-weight="600"'
    baseline = top + (21.0 if box.status else high / 2 + 4.5)
    parts.append(
        f'<text x="{middle:.1f}" y="{baseline:.1f}" text-anchor="middle" fill="{ink}"{weight}>'
        f"{escape(_short(box.label))}</text>"
    )
    if box.status:
        half = _text_width(box.status, 11.0) / 2
        parts.append(
            f'<circle cx="{middle - half - 1:.1f}" cy="{top + 34.5:.1f}" r="3.5" fill="{stroke}"/>'
            f'<text x="{middle + 6:.1f}" y="{top + 38.5:.1f}" text-anchor="middle" font-size="11" fill="{_QUIET}">'
            f"{escape(box.status)}</text>"
        )
    return "".join([*parts, "</g>"])


def _tint(colour: str, share: float) -> str:
    """The colour mixed with white."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * share):02x}" for part in parts)


def _arrows(picture: Picture, plan: Layout, sizes: list[tuple[float, float]]) -> Iterator[str]:
    """Lines first, argument names on top, so that no line crosses a name."""
    names: list[str] = []
    yield f'<g fill="none" stroke="{_LINE}" stroke-width="1.4">'
    heads: list[str] = []
    for arrow, (number, port) in zip(picture.arrows, _ports(picture, plan, sizes), strict=True):
        path, (x, y) = _path(plan, sizes, arrow, number, port)
        dashes = ' stroke-dasharray="5 4"' if arrow.mapped else ""
        yield f'<path d="{path}"{dashes}/>'
        heads.append(f"M{x - 4:.1f} {y - 7:.1f}h8l-4 7z")
        if arrow.keys and len(picture.arrows) <= _MOST_LABELS:
            names.append(_pill(", ".join(arrow.keys), x, y - 18))
    yield "</g>"
    if heads:
        yield f'<path d="{"".join(heads)}" fill="{_LINE}"/>'
    yield from names


def _ports(picture: Picture, plan: Layout, sizes: list[tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """Where each arrow ends: side by side on the upper edge of the box, in the order of their origins."""
    incoming: dict[int, list[int]] = defaultdict(list)
    for number, arrow in enumerate(picture.arrows):
        incoming[arrow.target].append(number)
    ends: dict[int, float] = {}
    for target, numbers in incoming.items():
        numbers.sort(key=lambda n: plan.bends[n][-1][0] if plan.bends[n] else plan.x[picture.arrows[n].source])
        stack = 2 * _STACK if picture.boxes[target].mapped else 0.0
        room = (sizes[target][0] - stack) * 0.72
        labels = max((_pill_width(", ".join(picture.arrows[n].keys)) + 4 for n in numbers), default=0.0)
        step = min(max(18.0, labels), room / max(1, len(numbers) - 1))
        for place, number in enumerate(numbers):
            ends[number] = plan.x[target] - stack / 2 + (place - (len(numbers) - 1) / 2) * step
    for number in range(len(picture.arrows)):
        yield number, ends[number]


def _path(
    plan: Layout, sizes: list[tuple[float, float]], arrow: Arrow, number: int, port: float
) -> tuple[str, tuple[float, float]]:
    """A smooth line from the lower edge of one box through all bends to its port at the other, and where it ends."""
    x, y = plan.x[arrow.source], plan.y[arrow.source] + sizes[arrow.source][1] / 2
    end = plan.y[arrow.target] - sizes[arrow.target][1] / 2 - 1
    path = [f"M{x:.1f} {y:.1f}"]
    for to, top, bottom in plan.bends[number]:
        path.append(_curve(x, y, to, top) + (f"V{bottom:.1f}" if bottom > top else ""))
        x, y = to, bottom
    path.append(_curve(x, y, port, end - 6))
    return "".join(path), (port, end)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(x - to_x) < 0.5:
        return f"V{to_y:.1f}"
    middle = (y + to_y) / 2
    return f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"


def _pill_width(text: str) -> float:
    return _text_width(_short(text), 10.0) + 10 if text else 0.0


def _pill(text: str, x: float, y: float) -> str:
    width = _pill_width(text)
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 7:.1f}" width="{width:.1f}" height="14" rx="7" fill="#e6ebf2"/>'
        f'<text x="{x:.1f}" y="{y + 3.4:.1f}" text-anchor="middle" font-size="10" fill="{_QUIET}">{escape(_short(text))}</text>'
    )
