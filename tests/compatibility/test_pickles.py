"""Flows and results pickled by the previous release still load, and equal what the same source makes today."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from appliance import Flow, LocalResult
from appliance.core.serialize import serialize
from appliance.packaging.storage import LoadError
from tests.compatibility.likeness import attribute_names, likeness
from tests.compatibility.make_pickles import PICKLES, SERIALIZERS

DOCUMENT = json.loads((PICKLES / "pickles.json").read_text())
FLOWS = sorted(path.stem for path in PICKLES.glob("*.flow"))
WRITTEN, HERE = (".".join(version.split(".")[:2]) for version in (DOCUMENT["python"], platform.python_version()))
RESULTS = sorted(
    location for location in DOCUMENT["results"] if WRITTEN == HERE or not location.startswith("closures.")
)
"""Those with code in them can only be read by the minor version of Python that wrote them."""


SENTENCES = [
    "There is no result at file:///nowhere/nothing; run its task again.",
    "The result location '../up' must be relative and stay inside its place; write it like folder/name, without a slash at either end and without dots as names.",
    "The cron expression 'not cron' is not valid: it has 2 fields; write five fields such as '30 6 * * 1-5'.",
    'A flow needs a name: Flow("my-flow").',
    "max_retries must be a whole number from 0 to 100,000.",
]
"""What the stored errors say: a sentence may be reworded in a later release, one that was stored stays as it was."""


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty home directory, so that no result of an earlier run is reused."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Run the sources of the pickles as scripts, with today's code; returns their variables."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    for name in ("flows", "values"):
        exec(compile((PICKLES / f"{name}.py").read_text(), f"{name}.py", "exec"), vars(module))
    yield vars(module)


@pytest.mark.parametrize("name", FLOWS)
def test_a_saved_flow_is_what_its_source_makes_today(name: str, main: dict[str, Any], tmp_path: Path) -> None:
    loaded = load(name)
    if loaded is None:
        return
    fresh = Flow.load(main["FLOWS"][name]().save(tmp_path / "fresh.flow"))  # pickled too: caches are left out
    assert serialize(loaded) == serialize(fresh)
    assert attribute_names(loaded) == attribute_names(fresh)
    assert likeness(loaded.schedule) == likeness(fresh.schedule)
    for old, new in zip(loaded.tasks, fresh.tasks, strict=True):
        differences = attribute_names(old) ^ attribute_names(new)
        unknown = {name for name in differences if not hasattr(type(new), name)}  # a class may have a default
        assert not unknown, f"{old!r} lacks or has what it has not today"
        for key in ("trigger", "retry_delay", "cache_validator", "result", "state_handlers", "task_run_name"):
            assert likeness(getattr(old, key)) == likeness(getattr(new, key)), (old, key)


@pytest.mark.parametrize("name", ["many_features", "of_a_function"])
def test_a_saved_flow_runs_as_its_source_does_today(name: str, main: dict[str, Any]) -> None:
    loaded = load(name)
    if loaded is None:
        return
    assert outcome(loaded) == outcome(main["FLOWS"][name]())


@pytest.mark.parametrize("location", RESULTS)
def test_a_result_is_what_its_source_makes_today(location: str, main: dict[str, Any]) -> None:
    key, kind = location.split(".")
    value = LocalResult(PICKLES, serializer=SERIALIZERS[kind]).read(location, DOCUMENT["results"][location])
    serializer = SERIALIZERS[kind]
    fresh = serializer.deserialize(serializer.serialize(main["values"]()[key]))
    if key == "errors":
        assert [str(error) for error in value] == SENTENCES
        for old, new in zip(value, fresh, strict=True):
            new.args = old.args
            vars(new).pop("field", None)  # a stored error of a schedule doesn't name the field to correct
    assert likeness(value) == likeness(fresh)


def test_the_schedule_of_a_saved_flow_gives_the_times_of_its_source(main: dict[str, Any]) -> None:
    for name in FLOWS:
        loaded = load(name)
        if loaded is not None and loaded.schedule is not None:
            fresh = main["FLOWS"][name]().schedule
            assert loaded.schedule.next(50, main["DAY"]) == fresh.next(50, main["DAY"])
            assert loaded.schedule.describe() == fresh.describe()


def test_results_that_the_previous_release_cached_are_not_computed_again(main: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(PICKLES / "results", tmp_path / "results")
    state = main["of_stored_results"](tmp_path / "results").run()
    assert {type(end).__name__ for end in state.result.values()} == {"Cached"}
    assert main["calls"] == []
    main["of_stored_results"](tmp_path / "others").run()
    assert main["calls"] == ["expensive", "written"]


def load(name: str) -> Flow | None:
    """Load a saved flow; on another minor version of Python, check that it is refused, and return None."""
    if WRITTEN == HERE:
        return Flow.load(PICKLES / f"{name}.flow")
    with pytest.raises(LoadError, match=f"was written by Python {WRITTEN} and this is Python {HERE}; load it with"):
        Flow.load(PICKLES / f"{name}.flow")
    return None


def outcome(flow: Flow) -> dict[str, Any]:
    """The state and result of every task of a run."""
    state = flow.run(run_on_schedule=False)
    assert state is not None and state.is_successful()
    return {flow.slugs[task]: (type(end).__name__, likeness(end.result)) for task, end in state.result.items()}
