"""What an agent finds out about the place for results before any run needs it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from appliance.agents import result_probe
from appliance.agents.result_probe import results_problem


def test_nothing_is_said_of_a_folder_that_can_be_written_or_made(tmp_path: Path) -> None:
    assert results_problem(tmp_path.as_uri()) == ""
    assert results_problem((tmp_path / "not" / "yet").as_uri()) == ""
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_of_the_appliance_itself_to_which_only_runs_are_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APPLIANCE_URL", "http://127.0.0.1:1")
    assert results_problem("appliance:") == ""


def test_a_place_that_can_not_be_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert results_problem("ftp://host/folder").startswith("Runs can't store their results: The address")
    assert "this user may not write there" in results_problem((tmp_path / "file").as_uri())
    assert "this user may not write there" in results_problem((tmp_path / "file" / "below").as_uri())


def test_a_problem_is_logged_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    told, heard = threading.Event(), []

    def hear(problem: str) -> None:
        heard.append(problem)
        told.set()

    with caplog.at_level(logging.WARNING, "appliance.agent"):
        result_probe.start((tmp_path / "file").as_uri(), hear)
        assert told.wait(10)
    assert heard == caplog.messages
