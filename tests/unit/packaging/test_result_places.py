"""What an author reads at registration of a place for results that can't be reached."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from appliance import Flow, LocalResult, Result, task
from appliance.core.errors import ResultError
from appliance.packaging import result_places


class Place(Result):
    """One that does what it is told to when it is asked."""

    def __init__(self, address: str, error: Exception | None = None, answers: threading.Event | None = None) -> None:
        super().__init__()
        self._address, self._error, self._answers, self.asked = address, error, answers, 0

    @property
    def address(self) -> str:
        return self._address

    def put(self, location: str, content: bytes) -> None:
        raise AssertionError("nothing is written")

    get = put  # type: ignore[assignment]

    def has(self, location: str) -> bool:
        self.asked += 1
        if self._answers is not None:
            self._answers.wait()
        if self._error is not None:
            raise self._error
        return False


def flow_with(place: Result, name: str = "f") -> Flow:
    @task
    def one() -> int:
        return 1

    with Flow(name, result=place) as flow:
        one()
    return flow


def test_a_place_that_answers_needs_no_warning() -> None:
    place = Place("s3://there")
    assert result_places.warnings_of(flow_with(place), {}) == []
    assert place.asked == 1


@pytest.mark.parametrize("error", [ResultError("no bucket there."), ZeroDivisionError("no bucket there.")])
def test_one_that_fails_is_named_once_for_all_flows(error: Exception) -> None:
    place, known = Place("s3://away", error), dict[str, str]()
    first, second = (result_places.warnings_of(flow_with(place, name), known) for name in "fg")
    assert first == second and len(first) == 1 and place.asked == 1
    assert first[0].startswith("The place for its results, s3://away, can't be reached from here: ")
    assert "no bucket there. Its runs need it" in first[0]


def test_one_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_places, "PATIENCE", 0.05)
    end = threading.Event()
    try:
        [warning] = result_places.warnings_of(flow_with(Place("s3://silent", answers=end)), {})
    finally:
        end.set()
    assert "it did not answer within 0.05 seconds." in warning


def test_places_of_tasks_count_and_folders_are_for_agents(tmp_path: Path) -> None:
    place = Place("s3://of-a-task", ResultError("no bucket there."))

    @task(result=place)
    def one() -> int:
        return 1

    with Flow("f", result=LocalResult(str(tmp_path / "nowhere"))) as flow:
        one()
    assert len(result_places.warnings_of(flow, {})) == 1
