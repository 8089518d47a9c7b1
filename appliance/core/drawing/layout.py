"""Positions of boxes and arrows: layers by the longest path, few crossings by barycentres, short arrows by least squares.

Everything is numbers: node i, arrows (i, j), in an order in which j > i never waits the other way round.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

_MOST_BENDS = 20_000  # beyond that, long arrows run straight
_GAP, _BEND_GAP, _LAYER_GAP = 28.0, 18.0, 46.0


@dataclass
class Layout:
    """Centres of the nodes, and per arrow the points it passes between its ends: (x, top, bottom) of each layer crossed."""

    x: list[float]
    y: list[float]
    bends: list[list[tuple[float, float, float]]]
    width: float
    height: float


@dataclass
class _Grid:
    """Nodes and, after them, the bends of long arrows; each link leads from one layer to the next."""

    widths: list[float]
    layer: list[int]
    real: int
    up: list[list[int]] = field(default_factory=list)
    down: list[list[int]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)  # of each node in its row


def layout(widths: Sequence[float], heights: Sequence[float], arrows: Sequence[tuple[int, int]]) -> Layout:
    """Place nodes of the given sizes; the work grows almost linearly with nodes and arrows."""
    layer = _layers(len(widths), arrows)
    grid, chains = _grid(list(widths), layer, arrows)
    _order(grid)
    x = _columns(grid)
    for chain in chains:
        _straighten(grid, chain, x)
    tops, bottoms = _lines(grid, heights, x)
    left = min((x[i] - grid.widths[i] / 2 for i in range(grid.real)), default=0.0)
    left = min([left, *x])
    x = [place - left for place in x]
    y = [(tops[layer[i]] + bottoms[layer[i]]) / 2 for i in range(grid.real)]
    bends = [[(x[bend], tops[grid.layer[bend]], bottoms[grid.layer[bend]]) for bend in chain] for chain in chains]
    width = max((x[i] + grid.widths[i] / 2 for i in range(len(x))), default=0.0)
    return Layout(x[: grid.real], y, bends, width, bottoms[-1] if bottoms else 0.0)


def _layers(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """As high as possible, but a node without upstream nodes sits directly above the first that needs it."""
    down: list[list[int]] = [[] for _ in range(count)]
    layer, has_upstream = [0] * count, [False] * count
    for source, target in arrows:
        down[source].append(target)
        has_upstream[target] = True
    for source in range(count):
        for target in down[source]:
            layer[target] = max(layer[target], layer[source] + 1)
    for source in range(count):
        if down[source] and not has_upstream[source]:
            layer[source] = min(layer[target] for target in down[source]) - 1
    return layer


def _grid(widths: list[float], layer: list[int], arrows: Sequence[tuple[int, int]]) -> tuple[_Grid, list[list[int]]]:
    grid = _Grid(widths, list(layer), len(widths))
    grid.up = [[] for _ in widths]
    grid.down = [[] for _ in widths]
    chains: list[list[int]] = [[] for _ in arrows]
    for number in sorted(range(len(arrows)), key=lambda n: layer[arrows[n][1]] - layer[arrows[n][0]]):
        source, target = arrows[number]
        span = layer[target] - layer[source]
        if span > 1 and len(grid.widths) - grid.real + span > _MOST_BENDS:
            continue
        before = source
        for depth in range(layer[source] + 1, layer[target]):
            bend = len(grid.widths)
            grid.widths.append(0.0)
            grid.layer.append(depth)
            grid.up.append([])
            grid.down.append([])
            chains[number].append(bend)
            _link(grid, before, bend)
            before = bend
        _link(grid, before, target)
    return grid, chains


def _link(grid: _Grid, above: int, below: int) -> None:
    grid.down[above].append(below)
    grid.up[below].append(above)


def _order(grid: _Grid) -> None:
    """Sort each layer by the mean place of its neighbours, downward and upward in turn, and keep the best."""
    grid.rows = [[] for _ in range(max(grid.layer, default=-1) + 1)]
    for node in _depth_first(grid):
        grid.rows[grid.layer[node]].append(node)
    best, fewest = [list(row) for row in grid.rows], _crossings(grid)
    place = grid.place = [0] * len(grid.widths)
    for row in grid.rows:
        _number(row, place)
    for sweep in range(24 if len(place) < 1000 else 8):
        if not fewest:
            break
        downward = sweep % 2 == 0
        neighbours = grid.up if downward else grid.down
        for row in grid.rows if downward else reversed(grid.rows):
            keys = {
                node: sum(place[n] for n in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else float(place[node])
                for node in row
            }
            row.sort(key=keys.__getitem__)
            _number(row, place)
        crossings = _crossings(grid)
        if crossings < fewest:
            best, fewest = [list(row) for row in grid.rows], crossings
    grid.rows = best
    for row in best:
        _number(row, place)


def _number(row: list[int], place: list[int]) -> None:
    for number, node in enumerate(row):
        place[node] = number


def _depth_first(grid: _Grid) -> list[int]:
    """Initially neighbours are side by side."""
    seen = [False] * len(grid.widths)
    order: list[int] = []
    for start in range(len(grid.widths)):
        stack = [start]
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            order.append(node)
            stack.extend(n for n in (*reversed(grid.down[node]), *reversed(grid.up[node])) if not seen[n])
    return order


def _crossings(grid: _Grid) -> int:
    """The number of crossings: between adjacent layers, pairs of links whose ends are in opposite orders."""
    total = 0
    place = [0] * len(grid.widths)
    for row in grid.rows:
        _number(row, place)
    for row in grid.rows:
        passed: list[int] = []
        for node in row:
            ends = sorted(place[below] for below in grid.down[node])
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total


def _columns(grid: _Grid) -> list[float]:
    """Pull every node under the mean of its neighbours, as far as its row lets it."""
    x = [0.0] * len(grid.widths)
    for row in grid.rows:
        at = 0.0
        for left, node in zip([None, *row], row, strict=False):
            at += 0.0 if left is None else _apart(grid, left, node)
            x[node] = at
    calm = 48 if len(x) < 1000 else 12
    for sweep in range(calm):
        downward = sweep % 2 == 0
        both = sweep >= calm // 3
        for row in grid.rows if downward else reversed(grid.rows):
            targets, weights = [], []
            for node in row:
                neighbours = (
                    [*grid.up[node], *grid.down[node]] if both else grid.up[node] if downward else grid.down[node]
                )
                pulls = [8.0 if node >= grid.real and n >= grid.real else 1.0 for n in neighbours]
                pull = sum(pulls)
                targets.append(
                    sum(x[n] * p for n, p in zip(neighbours, pulls, strict=True)) / pull if pull else x[node]
                )
                weights.append(0.1 + pull)
            for node, place in zip(row, _spread(grid, row, targets, weights), strict=True):
                x[node] = place
    return x


def _straighten(grid: _Grid, chain: list[int], x: list[float]) -> None:
    """Align the bends of a long arrow vertically, in runs as long as their neighbours leave room for."""
    run: list[int] = []
    low, high = -math.inf, math.inf
    for bend in chain:
        row, at = grid.rows[grid.layer[bend]], grid.place[bend]
        least = x[row[at - 1]] + _apart(grid, row[at - 1], bend) if at else -math.inf
        most = x[row[at + 1]] - _apart(grid, bend, row[at + 1]) if at + 1 < len(row) else math.inf
        if max(low, least) > min(high, most):
            _upright(run, low, high, x)
            run, low, high = [], -math.inf, math.inf
        run.append(bend)
        low, high = max(low, least), min(high, most)
    _upright(run, low, high, x)


def _upright(run: list[int], low: float, high: float, x: list[float]) -> None:
    if run and low <= high:
        place = min(max(sum(x[bend] for bend in run) / len(run), low), high)
        for bend in run:
            x[bend] = place


def _apart(grid: _Grid, left: int, right: int) -> float:
    """The minimum distance between two adjacent centres."""
    gap = _GAP if left < grid.real and right < grid.real else _BEND_GAP
    return (grid.widths[left] + grid.widths[right]) / 2 + gap


def _spread(grid: _Grid, row: list[int], targets: list[float], weights: list[float]) -> list[float]:
    """The positions nearest to the targets that keep order and distances: isotonic regression by pooling neighbours."""
    offset, offsets = 0.0, []
    for number, node in enumerate(row):
        offset += _apart(grid, row[number - 1], node) if number else 0.0
        offsets.append(offset)
    pools: list[list[float]] = []  # mean, weight, how many
    for target, weight, shift in zip(targets, weights, offsets, strict=True):
        pools.append([target - shift, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, count = pools.pop()
            other = pools[-1]
            both = other[1] + heavy
            other[:] = [(other[0] * other[1] + mean * heavy) / both, both, other[2] + count]
    flat = [mean for mean, _, count in pools for _ in range(int(count))]
    return [mean + shift for mean, shift in zip(flat, offsets, strict=True)]


def _lines(grid: _Grid, heights: Sequence[float], x: list[float]) -> tuple[list[float], list[float]]:
    """Top and bottom of each layer; the further its arrows run sideways, the more room there is above it."""
    tops, bottoms, bottom = [], [], 0.0
    for number, row in enumerate(grid.rows):
        far = max((abs(x[node] - x[above]) for node in row for above in grid.up[node]), default=0.0)
        top = bottom + (_LAYER_GAP + min(60.0, far / 10) if number else 0.0)
        bottom = top + max((heights[node] for node in row if node < grid.real), default=0.0)
        tops.append(top)
        bottoms.append(bottom)
    return tops, bottoms
