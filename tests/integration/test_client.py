"""The client's modules against the real app in this process, without any mock."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from appliance.agents.introduction import introduction
from appliance.cli import zone
from appliance.cli.watch_run import follow
from appliance.client import admin, agents, errors, flow_runs, flows, schedules, system
from appliance.client import run_protocol as runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.packaging.register import register
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.flows import Registration
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.run_protocol import Report
from appliance.protocol.tokens import CreateToken
from appliance.protocol.users import CreateUser
from appliance.storage import Local
from tests.integration import builders
from tests.integration.test_tracked_run import TOKEN, Site, failing_flow, site, sum_flow

__all__ = ["site"]


def test_info_needs_no_token(site: Site) -> None:
    assert system.info(Transport("http://testserver.local", "", site.http)).setup_required is False
    assert system.is_healthy(site.client)


def test_a_client_of_a_later_release_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent, the SDK, and the command line alike; what needs no token answers, so that one can find out."""
    monkeypatch.setattr("appliance.client.transport.VERSION", "99.1")
    request = introduction("process", "early", [], 1, None, None)
    calls = [
        lambda: agents.enrol(site.client, request),
        lambda: register(sum_flow, "p", transport=site.client, storage=Local()),
    ]
    for call in calls:
        with pytest.raises(errors.Invalid, match=r"of release 99\.1, and the server of 0\.") as refused:
            call()
        assert refused.value.code == "newer_client"
    assert system.info(site.client)
    monkeypatch.undo()
    assert agents.enrol(site.client, request).agent_id


def test_registering_twice_is_one_version(site: Site) -> None:
    first = register(sum_flow, "p", transport=site.client, storage=Local())
    again = register(sum_flow, "p", transport=site.client, storage=Local())
    assert (first.created, again.created) == (True, False)
    assert first.version_id == again.version_id
    register(failing_flow, "p", transport=site.client, storage=Local())
    assert sorted(flow["name"] for flow in flows.each(site.client)) == ["failing", "sum"]
    assert [flow["name"] for flow in flows.each(site.client, limit=1)] == ["failing"]
    assert flows.get(site.client, first.flow_id)["name"] == "sum"
    assert schedules.listed(site.client, first.flow_id) == []


def test_schedules_are_listed_over_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "PAGE", 1)
    for name in ("a", "b"):
        document = builders.document(schedules=[builders.MINUTELY])
        storage = {"type": "local", "path": "etl.py"}
        flows.register(
            site.client,
            Registration(project="p", name=name, content_hash="0" * 64, document=document, storage=storage),
        )
    assert [schedule["flow"] for schedule in schedules.listed(site.client)] == ["a", "b"]


def test_runs_are_created_listed_and_cancelled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    register(sum_flow, "p", transport=site.client, storage=Local())
    made = [flow_runs.create(site.client, CreateFlowRun(project="p", flow="sum", parameters={"n": n})) for n in (1, 2)]
    listed = list(flow_runs.each(site.client))
    assert [run.id for run in listed] == [run.id for run in reversed(made)]
    assert len(list(flow_runs.each(site.client, limit=1))) == 1
    flow_runs.cancel(site.client, made[0].id, "not needed")
    assert flow_runs.get(site.client, made[0].id).state == "Cancelled"
    assert [state.name for state in flow_runs.states(site.client, made[0].id)] == ["Scheduled", "Cancelled"]
    monkeypatch.setattr(flow_runs, "PAGE", 1)
    assert [state.name for state in flow_runs.states(site.client, made[0].id)] == ["Scheduled", "Cancelled"]
    assert [run.id for run in flow_runs.each(site.client, RunFilter(states=["Cancelled"]))] == [made[0].id]
    assert list(flow_runs.logs(site.client, made[0].id, after=5)) == []


def test_one_idempotency_key_is_one_run(site: Site) -> None:
    register(sum_flow, "p", transport=site.client, storage=Local())
    request = CreateFlowRun(project="p", flow="sum", idempotency_key="today")
    assert flow_runs.create(site.client, request).id == flow_runs.create(site.client, request).id


def test_refusals_are_errors_of_the_tree_with_the_servers_sentence(site: Site) -> None:
    register(sum_flow, "p", transport=site.client, storage=Local())
    with pytest.raises(errors.NotFound):
        flow_runs.get(site.client, uuid4())
    with pytest.raises(errors.NotFound, match="nothing"):
        flow_runs.create(site.client, CreateFlowRun(project="p", flow="nothing"))
    with pytest.raises(errors.Invalid, match="n"):
        flow_runs.create(site.client, CreateFlowRun(project="p", flow="sum", parameters={"n": "many"}))
    with pytest.raises(errors.Unauthenticated):
        admin.me(Transport("http://testserver.local", "apl_user_wrong", site.http))


def test_users_and_tokens(site: Site) -> None:
    assert admin.me(site.client).role == "admin"
    admin.create_user(site.client, CreateUser(username="vera", password="correct-horse-battery", role="viewer"))
    assert {user.username for user in admin.users(site.client)} == {"admin", "vera"}
    made = admin.create_token(site.client, CreateToken(name="veras", username="vera"))
    vera = Transport("http://testserver.local", made.token, site.http)
    assert admin.me(vera).username == "vera"
    with pytest.raises(errors.Forbidden):
        register(sum_flow, "p", transport=vera, storage=Local())
    assert "veras" in {token.name for token in admin.tokens(site.client)}
    admin.delete_token(site.client, made.view.id)
    with pytest.raises(errors.Unauthenticated):
        admin.me(vera)


def test_there_is_no_agent_before_one_enrols(site: Site, tmp_path: Path) -> None:
    assert agents.listed(site.client) == []
    site.claim(sum_flow)
    assert [agent["name"] for agent in agents.listed(site.client)] == ["host"]


def test_following_a_run_prints_each_line_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of worker processes may be stored after lines that were written later."""
    work, own = site.claim(sum_flow, n=1)
    run = work.flow_run_id
    assert runs.begin(own, run, 1).verdict == "go"
    now = clock.now()

    def report(seq: int, *events: Any) -> None:
        runs.report(own, run, msgspec.json.encode(Report(attempt=1, seq=seq, events=list(events))))

    report(1, *(builders.line(f"line {n}", at=now - timedelta(seconds=n)) for n in range(5)))
    rounds: list[int] = []

    class Ending(Transport):
        """Ends the run in the second round, with one more line."""

        def get(self, *given: Any, **options: Any) -> Any:
            if not str(given[0]).endswith(("/states", "/logs")):
                rounds.append(1)
                if len(rounds) == 2:
                    last = builders.line("the end", at=now - timedelta(seconds=9))
                    report(2, last, builders.flow("SUCCESS", "Success"))
            return super().get(*given, **options)

    assert follow(Ending("http://testserver.local", TOKEN, site.http), run).state == "Success"
    printed = capsys.readouterr().out
    assert [printed.count(f"line {n}") for n in range(5)] == [1] * 5
    assert printed.count("the end") == 1


def test_following_a_run_says_why_it_waits(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    register(sum_flow, "p", transport=site.client, storage=Local())
    run = flow_runs.create(site.client, CreateFlowRun(project="p", flow="sum", parameters={"n": 1}, labels=["gpu"])).id
    rounds: list[int] = []

    class Cancelling(Transport):
        """Cancels the run in the third round."""

        def get(self, *given: Any, **options: Any) -> Any:
            if not str(given[0]).endswith(("/states", "/logs")):
                rounds.append(1)
                if len(rounds) == 3:
                    flow_runs.cancel(site.client, run)
            return super().get(*given, **options)

    assert follow(Cancelling("http://testserver.local", TOKEN, site.http), run).state == "Cancelled"
    assert capsys.readouterr().err == f"Times are in {zone.name()}.\nWaiting: No agent is online.\n"
