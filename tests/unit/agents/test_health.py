"""How an agent says that it is well: its quarantine, its clock, the verdict on it, and the listener that hands them out."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.agents import agent_metrics, health_server
from appliance.agents.agent import Lacking, NotStarted, StartFailed, system_error
from appliance.agents.agent_health import STANDSTILL, health_of
from appliance.agents.clock_skew import ClockSkew
from appliance.agents.quarantine import FIRST_PAUSE, IN_A_ROW, LONGEST_PAUSE, Quarantine
from appliance.kit import clock
from appliance.protocol.agents import Claimed, Work
from tests.unit.agents.test_agent import Recorder, Script, recorder, refused, work

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = "The run's directory could not be created: No space left on device."


class Seconds:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def ended(agent: Recorder, script: Script) -> Recorder:
    assert agent.run(script.stop) == 0
    return agent


class Broken(Recorder):
    """Nothing can be started on its machine, unless a run is called `good`."""

    def start(self, work: Work) -> None:
        if work.name != "good":
            raise NotStarted(FULL)
        super().start(work)
        self.started(work)


# --- quarantine


def test_starts_that_fail_in_a_row_are_followed_by_growing_pauses_with_one_try_after_each() -> None:
    now = Seconds()
    quarantine = Quarantine(now)
    for _ in range(IN_A_ROW - 1):
        quarantine.failed(FULL)
    assert (quarantine.problem, quarantine.slots(8)) == ("", 8)
    lengths = []
    for _ in range(12):
        quarantine.failed(FULL)
        assert quarantine.problem.endswith(FULL) and quarantine.slots(8) == 0
        began = now.seconds
        while quarantine.problem:
            now.seconds += 1
        lengths.append(now.seconds - began)
        assert quarantine.slots(8) == 1 and quarantine.slots(0) == 0
    assert FIRST_PAUSE / 2 <= lengths[0] <= FIRST_PAUSE + 1
    assert lengths[0] < lengths[2] < lengths[4] and LONGEST_PAUSE / 2 <= lengths[-1] <= LONGEST_PAUSE + 1
    quarantine.failed(FULL, ahead=3_600.0)
    assert quarantine.ends is not None and quarantine.ends < clock.now(), "by the server's clock"
    now.seconds += LONGEST_PAUSE
    quarantine.started()
    quarantine.failed(FULL)
    assert (quarantine.problem, quarantine.slots(8), quarantine.ends) == ("", 8, None)


def test_an_agent_whose_machine_fails_takes_no_more_runs_and_tells_the_server() -> None:
    script = Script(Claimed(work=[work("a"), work("b"), work("c")]), Claimed(), Claimed())
    agent = recorder(script, 4, Broken)
    agent.changed.set()
    ended(agent, script)
    assert [claim.free_slots for claim in script.claims] == [4, 0, 0]
    assert agent.notes == [
        "open",
        "enrolled",
        "enrolled",
        "close",
    ]  # no run is told to have failed: the server gives them to others
    [problem] = script.introductions[-1]["problems"]
    assert problem.startswith("It takes no runs for ") and problem.endswith(
        f"3 starts in a row have failed here: {FULL}"
    )
    until = datetime.fromisoformat(script.introductions[-1]["provided"]["quarantined_until"])
    assert timedelta(0) < until - clock.now() <= timedelta(seconds=FIRST_PAUSE)
    assert (health_of(agent).status, health_of(agent).reason) == ("failing", problem)
    assert agent.vitals.failed == {"run": 0, "lacking": 0, "agent": 3}


@pytest.mark.parametrize(
    "names", [["bad", "bad", "bad", "worse"], ["broken", "broken", "good", "broken"]], ids=["runs' own", "one in between"]
)  # fmt: skip
def test_other_failures_keep_it_from_nothing(names: list[str]) -> None:
    script = Script(Claimed(work=[work(name) for name in names]), Claimed())
    ended(agent := recorder(script, 4, Broken if "good" in names else Recorder), script)
    assert script.claims[1].free_slots == (3 if "good" in names else 4)
    assert health_of(agent).status == "ok"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, NotStarted), (errno.EAGAIN, NotStarted), (errno.E2BIG, StartFailed)]
)
def test_what_any_run_would_have_met_is_not_the_runs_fault(number: int, kind: type[Exception]) -> None:
    error = system_error("It could not be started", OSError(number, "Why"))
    assert type(error) is kind and str(error) == "It could not be started: Why."


# --- the clock


@pytest.mark.parametrize(("ahead", "word"), [(12, "ahead of"), (-12, "behind"), (4, None), (-4, None)])
def test_a_clock_that_is_wrong_is_told_once(ahead: float, word: str | None, caplog: pytest.LogCaptureFixture) -> None:
    skew = ClockSkew()
    with clock.stopped(lambda: NOW):
        for _ in range(10):
            skew.observe(NOW - timedelta(seconds=ahead))
        assert skew.seconds == ahead
        assert (f"12 s {word} the server's" in skew.problem) if word else not skew.problem
        assert len(caplog.records) == bool(word)
        skew.observe(NOW)
        assert skew.problem == ""


def test_answers_that_were_slow_are_no_skew() -> None:
    skew = ClockSkew()
    assert skew.seconds is None
    with clock.stopped(lambda: NOW):
        for delay in (0.1, 40, 0.2, 40, 40):
            skew.observe(NOW - timedelta(seconds=delay))
    assert skew.seconds == 0.1


def test_an_agent_takes_the_time_from_the_answers_to_its_claims() -> None:
    script = Script(Claimed(at=NOW), Claimed(at=NOW), Claimed(at=NOW))
    ended(recorder(script), script)
    [problem] = script.introductions[-1]["problems"]
    assert "the server's, so times" in problem


# --- the verdict


def health(agent: Recorder) -> tuple[str, str]:
    found = health_of(agent)
    return found.status, found.reason


def test_a_server_that_is_away_is_waited_for() -> None:
    agent = recorder(Script())
    assert health(agent) == ("waiting", "The server has not answered yet.")
    script = Script(Claimed(), httpx2.ConnectError("down"))
    agent = ended(recorder(script), script)
    status, reason = health(agent)
    assert status == "waiting" and reason.startswith("The server at http://appliance.test can't be reached")


def test_a_loop_that_stands_still_fails() -> None:
    script = Script(Claimed())
    agent = ended(recorder(script), script)
    assert health(agent) == ("ok", "")
    agent.vitals.beat_at -= STANDSTILL + 2
    assert health(agent) == ("failing", f"The agent has done nothing for {STANDSTILL + 2:.0f} s; restart it.")


def test_an_agent_that_the_server_rejects_fails() -> None:
    script = Script()
    script.refuse = refused(401, "unauthenticated")
    agent = recorder(script)
    assert agent.run(script.stop) == 2
    assert health(agent) == ("failing", "The server rejects this agent: No.")


def test_an_agent_that_can_start_nothing_fails() -> None:
    class Away(Recorder):
        def can_start(self) -> bool:
            self.problems = ["The Docker engine can't be reached."]
            return False

    script = Script(Claimed(), Claimed())
    assert health(ended(recorder(script, 2, Away), script)) == ("failing", "The Docker engine can't be reached.")


# --- the listener


def metrics_of(agent: Recorder) -> dict[str, float]:
    text = agent_metrics.text(agent).decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_the_agent_has_done() -> None:
    script = Script(Claimed(work=[work("good"), work("broken")]), Claimed())
    agent = recorder(script, 4, Broken)
    agent.vitals.exits_waiting = lambda: 3
    ended(agent, script)
    agent.not_started(work("x"), Lacking("No image."))
    found = metrics_of(agent)
    prefix = "appliance_agent_"
    expected = {
        **{"slots": 4, "active_runs": 1, "claims_total": 2, "starts_total": 1, "exits_waiting": 3, "healthy": 1},
        **{"failed_starts_total{run}": 0, "failed_starts_total{agent}": 1, "failed_starts_total{lacking}": 1},
        **{"server_reachable": 1, "start_duration_seconds_count": 1, "start_duration_seconds_bucket{+Inf}": 1},
    }
    assert {name: found[prefix + name] for name in expected} == expected
    assert 0 <= found[prefix + "last_answer_age_seconds"] < 60
    assert prefix + "clock_skew_seconds" not in found  # a server of the release before does not tell the time


def test_every_metric_is_documented() -> None:
    agent = recorder(Script())
    agent.skew.seconds, agent.vitals.answered_at = 0.1, clock.monotonic()
    page = (Path(__file__).parents[3] / "docs/pages/metrics.md").read_text()
    names = re.findall(r"^# TYPE (\S+)", agent_metrics.text(agent).decode(), re.M)
    assert len(names) == 12 and not [name for name in names if f"`{name}" not in page]


def test_metrics_say_nothing_of_runs() -> None:
    script = Script(Claimed(work=[work("good")]), Claimed())
    agent = recorder(script, 4, Broken)
    ended(agent, script)
    text = agent_metrics.text(agent).decode()
    [held] = agent.held
    assert str(held.flow_run_id) not in text and "good" not in text


@pytest.fixture
def get() -> Callable[[Recorder, str], httpx2.Response]:
    def asked(agent: Recorder, path: str) -> httpx2.Response:
        with health_server.serving(agent, "127.0.0.1", 0) as port:
            return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False)

    return asked


def test_the_listener_answers(get: Callable[[Recorder, str], httpx2.Response]) -> None:
    agent = recorder(Script())
    answer = get(agent, "/health")
    assert (answer.status_code, answer.json()["status"], answer.json()["slots"]) == (200, "waiting", 2)
    agent.vitals.idle = "The disk is full."
    answer = get(agent, "/health")
    assert (answer.status_code, answer.json()["reason"]) == (503, "The disk is full.")
    assert "appliance_agent_healthy 0.0" in get(agent, "/metrics").text
    assert "Python" not in answer.headers["server"]
    answer = get(agent, "/")
    assert (answer.status_code, answer.json()) == (404, {"message": "An agent answers /health and /metrics alone."})


def test_without_the_library_metrics_say_what_to_install(
    get: Callable[[Recorder, str], httpx2.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_server, "is_installed", lambda _module: False)
    answer = get(recorder(Script()), "/metrics")
    assert answer.status_code == 501 and "pip install 'appliance-flows[metrics]'" in answer.json()["message"]


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listening = health_server.serving(recorder(Script()), "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            listening.__enter__()
