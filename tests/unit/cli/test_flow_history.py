"""The history of a flow in words, whether it has had one run or many."""

from __future__ import annotations

import pytest

from appliance.cli.flow_history import print_history
from appliance.kit import clock, ids
from appliance.protocol.flow_history import FlowHistory, PastRun


@pytest.mark.parametrize(
    ("runs", "seconds", "words"),
    [
        (0, None, "The flow has not run yet."),
        (1, 0.04, "The only run took 40 ms."),
        (1, None, "The only run has not succeeded."),
        (3, None, "None of the last 3 runs succeeded."),
        (3, 62.0, "Of the last 3 runs, half of those that succeeded took at most 0:01:02, and 95 % at most 0:01:02."),
    ],
)
def test_how_long_runs_take_is_said_in_words(
    runs: int, seconds: float | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = PastRun(
        id=ids.uuid7(), name="calm-otter", state_type="SUCCESS", state_name="Success", scheduled_time=clock.now(),
        start_time=None, end_time=None, seconds=seconds, version=1,
    )  # fmt: skip
    history = FlowHistory(
        flow_id=ids.uuid7(), runs=[run] * runs, causes=[], median_seconds=seconds, p95_seconds=seconds
    )
    print_history(history)
    assert capsys.readouterr().out.splitlines()[0] == words
