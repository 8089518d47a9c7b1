"""`[tool.appliance.flows.NAME]` of a pyproject.toml counts as code: it adds labels and policies, and a field has one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.core.errors import FlowBuildError
from appliance.packaging.discover import flows_in
from appliance.packaging.project_file import read
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


PARAMETERS = """
from appliance import Flow, LocalRun, Parameter, task
@task
def one(x, y): ...
with Flow("etl"{options}) as flow:
    one(Parameter("day"), Parameter("region", default="eu"))
"""
TABLE = "[tool.appliance.flows.etl]\n"


def etl(folder: Path, toml: str, options: str = "") -> Registration:
    (folder / "pyproject.toml").write_text(toml)
    (folder / "etl_flow.py").write_text(PARAMETERS.replace("{options}", options))
    ((flow, storage),) = flows_in(folder / "etl_flow.py")
    return registration(flow, "p", storage=storage)


def test_parameters_get_defaults(tmp_path: Path) -> None:
    sent = etl(tmp_path, f"{TABLE}parameters = {{ day = 2026-01-31, region = 'us' }}\n")
    assert [(one["name"], one["default"], one["required"]) for one in sent.document["parameters"]] == [
        ("day", "2026-01-31", False),
        ("region", "us", False),
    ]


def test_run_config_and_schedules_are_declared(tmp_path: Path) -> None:
    toml = TABLE + (
        'run_config = { env = { A = "1" }, working_dir = "/srv" }\n'
        'schedules = [\n  { cron = "30 2 * * *", timezone = "Europe/Berlin", overlap = "skip", labels = ["gpu"] },\n'
        "  { interval = 900, start = 2026-01-01T00:00:00, parameters = { day = 'x' }, catch_up = 'all' },\n"
        '  { rrule = "FREQ=MONTHLY;BYDAY=-1FR", filters = [{ kind = "is_weekday" }] },\n'
        "  { dates = [2026-01-31T06:00:00, 2026-02-28] },\n]\n"
    )
    sent = etl(tmp_path, toml)
    assert sent.document["run_config"] == {"type": "local", "env": {"A": "1"}, "labels": [], "working_dir": "/srv"}
    kinds = [document["kind"] for document in sent.document["schedules"]]
    assert kinds == ["cron", "interval", "rrule", "dates"]
    cron, interval, _, dates = sent.document["schedules"]
    assert (cron["overlap"], cron["labels"], cron["timezone"]) == ("skip", ["gpu"], "Europe/Berlin")
    assert (interval["seconds"], interval["parameters"], interval["catch_up"]) == (900, {"day": "x"}, "all")
    assert dates["dates"] == ["2026-01-31T06:00:00", "2026-02-28T00:00:00"]


def test_a_schedule_of_the_table_is_the_one_of_the_code(tmp_path: Path) -> None:
    """Moving a schedule from one place to the other changes nothing."""
    said = etl(tmp_path, TABLE + 'schedules = [{ cron = "0 2 * * *", overlap = "skip" }]\n')
    code = ', schedule=__import__("appliance").CronSchedule("0 2 * * *", overlap="skip")'
    coded = etl(tmp_path, "", code)
    assert said.document["schedules"] == coded.document["schedules"]


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[tool.appliance]\nproject = 3", "project must be a string"),
        (
            "[tool.appliance]\n\nproyect = 'x'",
            r"pyproject.toml, line 3: \[tool.appliance\] has no option 'proyect'; did you mean project",
        ),
        (f"{TABLE}\n\nlabel = ['a']", r"pyproject.toml, line 4: .*did you mean labels"),
        ("[tool.appliance.flows.etl.run_config]\nenvs = {}", "line 1: .*has no option 'envs'; did you mean env"),
        (f"{TABLE}run_config = {{ env = {{ 'A=B' = '1' }} }}", "A=B"),
        (
            f"{TABLE}parameters = {{ regoin = 1 }}",
            r"sets parameter 'regoin', which flow 'etl' does not have; did you mean 'region'\?",
        ),
        (f"{TABLE}schedules = 3", "schedules must be"),
        (f"{TABLE}schedules = [3]", "a table was expected"),
        (f"{TABLE}schedules = [{{}}]", "exactly one of cron, interval"),
        (f"{TABLE}schedules = [{{ cron = '0 2 * * *', rrule = 'x' }}]", "exactly one of"),
        (f"{TABLE}schedules = [{{ corn = '0 2 * * *' }}]", "has no option 'corn'; did you mean cron"),
        (f"{TABLE}schedules = [{{ cron = '99 2 * * *' }}]", "line 2: .*99"),
        (f"{TABLE}schedules = [{{ cron = '0 2 * * *', timezone = 'Mars' }}]", "Mars"),
        (f"{TABLE}schedules = [{{ cron = '0 2 * * *', overlap = 'no' }}]", "must be one of allow, queue"),
        (f"{TABLE}schedules = [{{ interval = '1h' }}]", "interval must be a number of seconds"),
        (f"{TABLE}schedules = [{{ interval = 60, start = 'soon' }}]", "start must be a time such as"),
        (f"{TABLE}schedules = [{{ dates = 3 }}]", "dates must be a list"),
        (f"{TABLE}schedules = [{{ cron = '0 2 * * *', parameters = {{ x = 1 }} }}]", "sets parameter 'x'"),
        (f"{TABLE}schedule = {{ overlap = 'skip' }}\nschedules = []", "say them in each of schedules"),
        (f"{TABLE}source = 3", "source must be a string"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, toml: str, sentence: str) -> None:
    with pytest.raises(FlowBuildError, match=sentence) as caught:
        etl(tmp_path, toml)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("[tool.appliance.flows.etl]") <= 1


def test_what_code_says_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(FlowBuildError, match="'etl' declares run_config both in its code and in"):
        etl(tmp_path, f"{TABLE}run_config = {{}}", ", run_config=LocalRun()")
    with pytest.raises(FlowBuildError, match="'etl' declares schedules both"):
        etl(
            tmp_path,
            f"{TABLE}schedules = [{{ interval = 60 }}]",
            ', schedule=__import__("appliance").CronSchedule("0 2 * * *")',
        )


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    text = f"\ufeff{TABLE}labels = ['gpu']\n".replace("\n", "\r\n")
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    assert read(tmp_path).flow("etl").labels == {"gpu"}
