"""What a process writes faster than its lines can be read does not fill the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.engine.tracked import output_files
from appliance.engine.tracked.output_files import OutputFile


@pytest.mark.parametrize("holes", [True, False])
def test_a_backlog_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holes: bool) -> None:
    monkeypatch.setattr(output_files, "MOST_UNREAD", 8 << 20)
    if not holes:
        monkeypatch.setattr(output_files, "_punch", lambda _fd, _end: False)
    lines: list[str] = []
    file = OutputFile("stdout", tmp_path / "stdout", lambda _stream, line: lines.append(line), lambda _data: False)
    writer = os.open(tmp_path / "stdout", os.O_WRONLY | os.O_APPEND)
    os.write(writer, b"first\n")
    file.read()
    block = b"x" * 1023 + b"\n"
    for _ in range(20):
        os.write(writer, block * 1024)
    file.read()
    os.write(writer, b"last\n")
    file.read()
    assert (lines[0], lines[-1]) == ("first", "last")
    assert any("bytes are left out" in line for line in lines)
    assert set(lines[2:-1]) <= {"x" * 1023} and len(lines) <= 1 + 1 + 1024 + 1
    assert os.fstat(writer).st_blocks * 512 <= 2 << 20
    file.close()
    os.close(writer)
