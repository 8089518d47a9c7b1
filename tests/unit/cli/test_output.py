"""Tables on a terminal have a bold head, and elsewhere nothing but text."""

from __future__ import annotations

import sys

import pytest

from appliance.cli.output import print_table


def test_a_table_in_a_pipe_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "AGE"], [["x", 1]], "None.")
    assert capsys.readouterr().out == "NAME  AGE\nx     1\n"


def test_the_head_is_bold_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    print_table(["NAME"], [["x"]], "None.")
    assert "NAME" in capsys.readouterr().out.splitlines()[0]


def test_no_rows_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME"], [], "No flows yet.")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "No flows yet.\n")
