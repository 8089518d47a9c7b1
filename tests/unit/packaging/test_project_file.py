"""`[tool.appliance.flows.NAME]` of a pyproject.toml counts as code: it adds labels and policies, and a field has one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.core.errors import FlowBuildError
from appliance.packaging.discover import flows_in
from appliance.packaging.register import registration
from appliance.protocol.flows import Registration

SOURCE = """
from appliance import CronClock, Flow, IntervalSchedule, LocalRun, Schedule, task
from datetime import timedelta
@task
def one(): ...
with Flow("nightly", schedule=Schedule([CronClock("0 2 * * *"{clock}), CronClock("0 3 * * *")]){options}) as nightly:
    one()
with Flow("by-hand") as by_hand:
    one()
"""
SAID = '[tool.appliance.flows.nightly]\nlabels = ["gpu"]\nschedule = { overlap = "skip", catch_up_window = 3600 }\n'


def made(folder: Path, toml: str, clock: str = "", options: str = "") -> dict[str, Registration]:
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(toml)
    path = folder / "flows" / "nightly_flow.py"
    path.write_text(SOURCE.replace("{clock}", clock).replace("{options}", options))
    return {flow.name: registration(flow, "p", storage=storage) for flow, storage in flows_in(path)}


def test_labels_and_policies_are_declared_beside_the_code(tmp_path: Path) -> None:
    found = made(tmp_path, SAID)
    assert found["nightly"].labels == ["gpu"] and found["by-hand"].labels == []
    for document in found["nightly"].document["schedules"]:
        assert (document["overlap"], document["catch_up_window"]) == ("skip", 3600)
        assert "catch_up" not in document
    plain = made(tmp_path, "[tool.other]\nx = 1\n")
    assert plain["nightly"].labels == [] and "overlap" not in plain["nightly"].document["schedules"][0]
    assert found["nightly"].content_hash != plain["nightly"].content_hash


@pytest.mark.parametrize(
    ("clock", "options", "name"),
    [(', overlap="queue"', "", "overlap"), ("", ', run_config=LocalRun(labels=["big"])', "labels")],
)
def test_a_field_in_both_places_is_refused(tmp_path: Path, clock: str, options: str, name: str) -> None:
    with pytest.raises(FlowBuildError, match=f"'nightly' declares {name} both in its code and in pyproject.toml"):
        made(tmp_path, SAID, clock, options)


def test_a_policy_that_only_the_code_declares_stays(tmp_path: Path) -> None:
    documents = made(tmp_path, SAID, ', catch_up="all"')["nightly"].document["schedules"]
    assert [document.get("catch_up") for document in documents] == ["all", None]


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[tool.appliance", "can't be read"),
        ("[tool.appliance.flow.nightly]", r"\[tool.appliance\] has no option 'flow'; did you mean flows"),
        ("[tool.appliance.flows.nightly]\nlabel = ['a']", "has no option 'label'; did you mean labels"),
        ("[tool.appliance.flows.nightly]\nlabels = 'a'", "labels must be a list of strings"),
        ("[tool.appliance.flows.nightly]\nlabels = [1]", "labels must be a list of strings"),
        ("[tool.appliance.flows.nightly]\nschedule = {overlp = 'skip'}", "did you mean overlap"),
        ("[tool.appliance.flows.nightly]\nschedule = {overlap = 'no'}", "must be one of allow, queue, skip, cancel"),
        ("[tool.appliance.flows.nightly]\nschedule = 3", "a table was expected"),
        ("[tool.appliance.flows]\nnightly = 3", "a table was expected"),
        ("[tool]\nappliance = 3", "a table was expected"),
        ("[tool.appliance.flows.by-hand]\nschedule = {overlap = 'skip'}", "flow 'by-hand', which has none"),
    ],
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, toml: str, sentence: str) -> None:
    with pytest.raises(FlowBuildError, match=sentence):
        made(tmp_path, toml)
