"""Saved flows: whole or not at all, and refused in one sentence when they don't fit."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appliance.core.edge import Edge
from appliance.core.flow import Flow
from appliance.core.serialize import serialize
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.packaging.local import flows_of, import_file
from appliance.packaging.saved import SaveError
from appliance.packaging.storage import LoadError
from appliance.schedules.schedule import CronSchedule


def make() -> Flow:
    add = task(lambda x, y: x + y, name="add")
    with Flow("My Flow", schedule=CronSchedule("@daily")) as flow:
        add(1, y=[2])
    return flow


def test_a_flow_comes_back_from_its_own_place_by_path_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    flow = make()
    path = flow.save()
    assert path == tmp_path / ".appliance" / "flows" / "my-flow.flow"
    assert flow.save() == path
    for found in (Flow.load(path), Flow.load("My Flow")):
        assert serialize(found) == serialize(flow)
    with pytest.raises(SaveError, match="already contains flow 'My Flow'"):
        Flow("my flow").save()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_code_of_a_loaded_file_goes_along_to_another_process(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        "from appliance import Flow, Task\n\n\nclass Five(Task):\n    def run(self):\n        return 5\n\n\n"
        'with Flow("f") as flow:\n    Five()()\n'
    )
    [flow] = flows_of(import_file(source))
    path = flow.save(tmp_path / "deep" / "f.flow")
    source.unlink()
    code = f"from appliance import Flow; f = Flow.load({str(path)!r}); print(f.run().result[f.tasks[0]].result)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "5\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: b"hello", "not a saved flow"),
        (lambda content: b"", "not a saved flow"),
        (lambda content: content[:-3], "damaged"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "damaged"),
        (lambda content: content.replace(b'"python": "3.', b'"python": "2.', 1), "was written by Python 2"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, change: object, says: str) -> None:
    path = make().save(tmp_path / "f.flow")
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(LoadError, match=says) as caught:
        Flow.load(path)
    assert "\n" not in str(caught.value)


def test_what_can_not_be_saved_leaves_no_file(tmp_path: Path) -> None:
    flow = Flow("f", edges=[Edge(Task("a"), Task("b"))])
    flow.constants[flow.tasks[0]] = {"lock": threading.Lock()}
    with pytest.raises(SaveError, match="inside tasks"):
        flow.save(tmp_path / "f.flow")
    with pytest.raises(LoadError, match="can't be read"):
        Flow.load(tmp_path / "f.flow")
    assert list(tmp_path.iterdir()) == []
