"""What part of a start comes back from a process of its own: a result, or a sentence."""

from __future__ import annotations

import os
import signal

import pytest

from appliance.cli.apart import apart
from appliance.cli.prepare import StartError
from appliance.kit import hidden_memory
from appliance.server.errors import Damaged


def test_it_returns_a_result_from_another_process() -> None:
    number, is_hidden = apart("looks", lambda: (os.getpid(), hidden_memory.is_hidden()))()
    assert number != os.getpid()
    assert is_hidden


@pytest.mark.parametrize("error", [StartError("The port is in use."), Damaged("The file is damaged.")])
def test_an_expected_error_is_a_sentence(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(StartError, match=str(error)):
        apart("fails", fail)()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_dies_says_what_to_do(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    waiting = apart("prepares the database", lambda: os.kill(os.getpid(), number))
    with pytest.raises(StartError, match="The process that prepares the database died; check the output above"):
        waiting()
    assert "Traceback" not in capfd.readouterr().err


def test_an_unexpected_error_leaves_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    waiting = apart("divides", lambda: 1 // 0)
    with pytest.raises(StartError, match="The process that divides died"):
        waiting()
    assert "ZeroDivisionError" in capfd.readouterr().err
