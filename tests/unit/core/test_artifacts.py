"""What tasks make for people to look at: without a server, and where in its run each artifact was made."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas
import pytest

from appliance import Flow, artifacts, task
from appliance.core import artifacts as core
from appliance.core import masking
from appliance.core.artifacts import Artifact
from appliance.core.errors import ArtifactError
from appliance.core.signals import LOOP
from appliance.core.states import Failed

PNG = b"\x89PNG\r\n\x1a\n and the rest"


@pytest.fixture
def made() -> Iterator[list[Artifact]]:
    """What was brought to a server."""
    taken: list[Artifact] = []
    core.connect(taken.append)
    yield taken
    core.connect(None)


def ran(work: Any, **options: Any) -> None:
    one = task(work, **options)
    with Flow("f") as flow:
        one()
    assert flow.run().is_successful()


def places(made: list[Artifact]) -> list[tuple[Any, ...]]:
    return [(one.task_slug, one.map_index, one.loop, one.key, one.number) for one in made]


# --- without a server


def test_without_a_server_each_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def work() -> None:
        artifacts.markdown("\n# Report\n", key="report")
        artifacts.link("https://example.org/", title="Docs")
        artifacts.progress(12.5)
        artifacts.file(b"x", name="x.bin")

    with caplog.at_level(logging.INFO):
        ran(work)
    assert [one.message for one in caplog.records if "rtifact" in one.message] == [
        "Artifact 'report' (markdown, 10 bytes), not kept without a server: # Report",
        "Artifact 'Docs' (link, 20 bytes), not kept without a server: https://example.org/",
        "Artifact (progress, 12.5 %), not kept without a server.",
        "Artifact 'x.bin' (file, 1 byte), not kept without a server.",
    ]
    assert {one.name for one in caplog.records if "rtifact" in one.message} == {"appliance.run.work"}


def test_outside_of_a_run_too(caplog: pytest.LogCaptureFixture, made: list[Artifact]) -> None:
    artifacts.markdown("x")
    assert places(made) == [(None, -1, 1, None, 0)] and made[0].flow_run_id is None


# --- what they consist of


def test_each_kind_has_its_content(made: list[Artifact], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    chart = SimpleNamespace(to_dict=lambda: {"mark": "bar"})
    figure = SimpleNamespace(savefig=lambda to, format: to.write(PNG))
    artifacts.markdown("é \ud800", title="Text", keep="forever")
    artifacts.image(tmp_path / "a.png"), artifacts.image(PNG), artifacts.image(figure)
    artifacts.plot(chart), artifacts.plot('{"mark": "bar"}')
    artifacts.html("<p>"), artifacts.file(str(tmp_path / "a.png")), artifacts.file(b"x", name="y")
    assert [one.kind for one in made] == ["markdown", *["image"] * 3, *["plot"] * 2, "html", "file", "file"]
    assert made[0].content == "é ?".encode() and (made[0].title, made[0].keep) == ("Text", "forever")
    assert {one.content for one in made if one.kind == "image"} == {PNG}
    assert {one.content for one in made if one.kind == "plot"} == {b'{"mark": "bar"}'}
    assert [one.file_name for one in made[-2:]] == ["a.png", "y"]


FRAME = pandas.DataFrame({"n": [1, 2], "at": [pandas.Timestamp("2026-01-31"), pandas.NaT], "x": [0.5, float("nan")]})


@pytest.mark.parametrize(
    ("rows", "columns", "content"),
    [
        ([{"a": 1}, {"b": True}], None, {"columns": ["a", "b"], "rows": [[1, None], [None, True]]}),
        ([{"a": 1, "b": 2}], ["b"], {"columns": ["b"], "rows": [[2]]}),
        ([(1, "x"), [2.5, None]], ["a", "b"], {"columns": ["a", "b"], "rows": [[1, "x"], [2.5, None]]}),
        ([], None, {"columns": [], "rows": []}),
        ([], ["a"], {"columns": ["a"], "rows": []}),
        (iter([{"a": 2**60}]), None, {"columns": ["a"], "rows": [[str(2**60)]]}),
        ([{"a": float("inf")}, {"a": float("nan")}], None, {"columns": ["a"], "rows": [["inf"], [None]]}),
        ([{1: datetime(2026, 1, 31, tzinfo=UTC)}], None, {"columns": ["1"], "rows": [["2026-01-31 00:00:00+00:00"]]}),
        (FRAME, None, {"columns": ["n", "at", "x"], "rows": [[1, "2026-01-31 00:00:00", 0.5], [2, None, None]]}),
    ],
)
def test_tables_are_made_of_rows(made: list[Artifact], rows: Any, columns: Any, content: Any) -> None:
    artifacts.table(rows, columns=columns)
    assert json.loads(made[0].content) == content


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: artifacts.markdown(3), "takes a text, not int"),
        (lambda: artifacts.link("ftp://x/"), "begins with https://"),
        (lambda: artifacts.image(b"<svg/>"), "PNG, JPEG, GIF, or WebP"),
        (lambda: artifacts.image(3), "takes bytes or a path"),
        (lambda: artifacts.image("/nowhere/x.png"), "can't be read: No such file"),
        (lambda: artifacts.progress(101), "from 0 to 100"),
        (lambda: artifacts.progress(float("nan")), "from 0 to 100"),
        (lambda: artifacts.progress(True), "not bool"),
        (lambda: artifacts.plot("{"), "Vega-Lite spec in JSON"),
        (lambda: artifacts.plot([1]), "not list"),
        (lambda: artifacts.plot({"data": {"url": "https://x.example/"}}), "not loaded"),
        (lambda: artifacts.file(b"x"), "needs a name"),
        (lambda: artifacts.file(b"x", name="a/b"), "no slashes"),
        (lambda: artifacts.table("x"), "not of str"),
        (lambda: artifacts.table([(1,)]), "names of its columns"),
        (lambda: artifacts.table([(1,), {"a": 1}], columns=["a"]), "all dicts, or all lists"),
        (lambda: artifacts.table([(1, 2)], columns=["a"]), "2 cells"),
        (lambda: artifacts.table([{}]), "needs columns"),
        (lambda: artifacts.table(FRAME, columns=["n"]), "leave `columns` out"),
        (lambda: artifacts.markdown("x", key="A key"), "The key of an artifact has"),
        (lambda: artifacts.markdown("x", keep="ever"), "'forever'"),
        (lambda: artifacts.markdown("x", keep="latest"), "Only an artifact with a key"),
        (lambda: artifacts.markdown("x", title=3), "are texts"),
        (lambda: artifacts.markdown("x" * 1_000_001), "at most 1,000,000"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_made(made: list[Artifact], make: Any, sentence: str) -> None:
    with pytest.raises(ArtifactError, match=sentence):
        make()
    assert made == []


def test_secrets_are_masked_value_by_value(made: list[Artifact]) -> None:
    secret = 'pass"word\n'
    masking.hide(secret)
    artifacts.markdown(f"it is {secret}", title=secret)
    artifacts.table([{secret: f"a {secret}", "n": 1}])
    artifacts.plot({"data": {"values": [{"v": secret}]}})
    artifacts.html(f"<p>{secret}</p>")
    artifacts.link("https://example.org/?q=pass%22word%0A")
    assert not [one for one in made if b"word" in one.content]
    assert json.loads(made[1].content) == {"columns": ["***", "n"], "rows": [["a ***", 1]]}
    assert made[0].title == "***"


# --- where they were made


def test_a_try_counts_anew_so_that_it_replaces_what_the_last_one_made(made: list[Artifact]) -> None:
    tries: list[int] = []

    def work() -> None:
        artifacts.markdown("a"), artifacts.markdown("b"), artifacts.markdown("c", key="report")
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    ran(work, max_retries=1, retry_delay=timedelta(0))
    assert (
        places(made)[:3]
        == places(made)[3:]
        == [
            ("work-1", -1, 1, None, 0),
            ("work-1", -1, 1, None, 1),
            ("work-1", -1, 1, "report", 0),
        ]
    )


def test_rounds_of_a_loop_make_their_own_but_move_one_bar(made: list[Artifact]) -> None:
    def work() -> None:
        from appliance import context

        artifacts.markdown("x")
        artifacts.progress(50 * context.task_loop_count)
        if context.task_loop_count == 1:
            raise LOOP(result=1)

    ran(work)
    assert [one.loop for one in made if one.kind == "markdown"] == [1, 2]
    assert len({(one.loop, one.number) for one in made if one.kind == "progress"}) == 1


def test_threads_of_a_task_count_together_and_children_apart(made: list[Artifact]) -> None:
    @task
    def one(n: int) -> None:
        threads = [threading.Thread(target=lambda: artifacts.markdown("x")) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()

    with Flow("f") as flow:
        one.map([1, 2])
    flow.run()
    assert [(place[1], place[4]) for place in places(made)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_bar_moves_by_whole_percents_or_once_a_second(made: list[Artifact], monkeypatch: pytest.MonkeyPatch) -> None:
    time = [0.0]
    monkeypatch.setattr(core.clock, "monotonic", lambda: time[0])

    def work() -> None:
        for thousandth in range(100_001):
            artifacts.progress(thousandth / 1000)
        artifacts.progress(100, title="another")
        artifacts.progress(50)
        artifacts.progress(50.5)
        time[0] += 1
        artifacts.progress(50.5)

    ran(work)
    bars = [one.progress for one in made]
    assert len(bars) == 101 + 3 and bars[:3] == [0, 1, 2] and bars[100:] == [100, 100, 50, 50.5]


def test_handlers_make_them_outside_of_tasks(made: list[Artifact]) -> None:
    def handler(flow: Any, old: Any, new: Any) -> Any:
        if new.is_finished():
            artifacts.markdown("end")

    with Flow("f", state_handlers=[handler]) as flow:
        task(lambda: None, name="nothing")()
    flow.run()
    assert [(one.task_slug, one.flow_name) for one in made] == [(None, "f")]


def test_a_process_that_a_task_forks_does_not_make_them(made: list[Artifact], capfd: Any) -> None:
    def work() -> None:
        pid = os.fork()
        if pid == 0:
            artifacts.markdown("x")
            os._exit(len(made))
        assert os.waitpid(pid, 0)[1] == 0

    ran(work)
    assert made == []


def test_a_wrong_artifact_fails_its_task() -> None:
    with Flow("f") as flow:
        one = task(lambda: artifacts.progress(101), name="one")()
    state = flow.run()
    assert isinstance(state.result[one], Failed)
    assert state.result[one].message == "ArtifactError: Progress is a number from 0 to 100."
