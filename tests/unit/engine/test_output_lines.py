"""Text becomes the lines that a terminal would show, whatever the pieces in which it is written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.output.lines import LONGEST, Lines


def lines_of(*pieces: str | bytes) -> list[str]:
    seen: list[str] = []
    lines = Lines(seen.append)
    for piece in pieces:
        lines.write(piece) if isinstance(piece, str) else lines.write_bytes(piece)
    lines.close()
    return seen


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["one\ntwo\n"], ["one", "two"]),
        (["a", "b", "\n", "\n", "no end"], ["ab", "", "no end"]),
        (["windows\r\n"], ["windows"]),
        (["windows\r", "\n"], ["windows"]),
        (["windows\r", "\r\n"], ["windows"]),
        (["\r 10%", "\r 20%", "\r100%", "\n"], ["100%"]),
        (["10%\r", "20%\r", "30%\r"], ["30%"]),
        (["10%\r20%\r30%\r\nnext"], ["30%", "next"]),
        (["\r100%", "\r    \r"], []),
        (["\r100%", "\r    \r", "done\n"], ["done"]),
        ([b"caf\xc3", b"\xa9\n", b"\xff\n"], ["café", "\ufffd"]),
        ([""], []),
    ],
)
def test_lines_are_what_a_terminal_would_show(pieces: list[str | bytes], lines: list[str]) -> None:
    assert lines_of(*pieces) == lines


@given(st.text(alphabet="ab\r\n", max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_the_pieces_make_no_difference(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    assert lines_of(*(text[a:b] for a, b in pairwise(edges))) == lines_of(text)


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    (line,) = lines_of(*["x" * 1000] * 1000, "\n")
    assert line == "x" * LONGEST + f" ... ({1_000_000 - LONGEST:,} more characters)"


@pytest.mark.parametrize("piece", ["x", "\r", "x\r", "\rxx", "xxxx xxxx xxxx"])
def test_what_is_held_of_a_line_is_bounded_so_that_time_is_linear(piece: str) -> None:
    lines = Lines(lambda _line: None)
    for _ in range(3 * LONGEST):
        lines.write(piece)
    assert len(lines.unfinished) <= LONGEST
    assert sum(map(len, lines.unfinished)) <= LONGEST
