"""Several API workers and several services processes on one Postgres: what one does all others hear of, nothing is done twice, and
nobody is missed who dies; nor is Postgres, when it is away for a while."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from appliance.server.actions import leases
from tests import depth
from tests.chaos import proxy
from tests.chaos.postgres_site import NAME, PostgresSite, Wire, postgres_site
from tests.e2e.appliance_process import until
from tests.integration.builders import check_histories, enrol, register, rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(depth.pick(quick=300, normal=300, full=600)),
    pytest.mark.xdist_group("postgres site"),
]

RUNS = "/api/v1/flow-runs"
EVERY_SECOND = {"kind": "cron", "cron": "* * * * * *", "timezone": "UTC"}
LONGEST_ANSWER = 10.0
BACK_WITHIN = 10.0
NO_STALE_ONE_AFTER = 15.0
AT_ONCE = 4.0
"""Far less than the slow look at the database, which finds everything that nobody was told of."""
KILLS = depth.pick(quick=3, normal=3, full=120)
"""How many times, once a second, all backends are terminated."""


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[PostgresSite]:
    with postgres_site() as opened:
        before = request.session.testsfailed
        yield opened
        opened.broken = request.session.testsfailed > before


@pytest.fixture(scope="module")
def flow(site: PostgresSite) -> UUID:
    """A flow whose runs no agent of the site takes."""
    return register(site.database, labels=["elsewhere"]).flow_id


@pytest.fixture(scope="module")
def scheduled(site: PostgresSite) -> UUID:
    """A flow with a run every second, which nobody takes."""
    return register(site.database, "ticks", labels=["nowhere"], schedules=[EVERY_SECOND]).flow_id


@pytest.fixture(scope="module")
def agent(site: PostgresSite) -> UUID:
    return enrol(site.database, "elsewhere", ["elsewhere"])


@pytest.fixture(scope="module")
def chain(site: PostgresSite) -> str:
    """A real run of 200 tasks, which goes on through all that follows."""
    site.appliance.register("flows.py")
    run = site.appliance.create_run("chain-200", pause=0.12)
    site.appliance.wait_for(run, "RUNNING")
    return run


def claims(wire: Wire, agent: UUID) -> list[str]:
    asked = {"free_slots": 1, "wait_s": 20, "labels": ["elsewhere"]}
    status, answer = wire.ask("POST", f"/api/v1/agents/{agent}/claim", asked)
    assert status == 200, answer
    return [work["flow_run_id"] for work in answer["work"]]


def create(wire: Wire, flow: UUID, **fields: Any) -> tuple[int, Any]:
    return wire.ask("POST", RUNS, {"flow_id": str(flow), **fields})


def made(wire: Wire, flow: UUID, **fields: Any) -> str:
    status, answer = create(wire, flow, **fields)
    assert status in (200, 201), answer
    return str(answer["id"])


def claim_in_background(pool: ThreadPoolExecutor, wire: Wire, agent: UUID) -> Future[tuple[list[str], float]]:
    """The claim's runs and when it was answered."""
    future = pool.submit(lambda: (claims(wire, agent), time.monotonic()))
    time.sleep(0.3)  # it waits at its worker now; if not, it only finds the run sooner
    return future


def test_an_agent_at_one_worker_gets_what_is_made_at_another_at_once(
    site: PostgresSite, chain: str, flow: UUID, agent: UUID
) -> None:
    wires = [site.wire_to(worker) for worker in site.all_workers()]
    with ThreadPoolExecutor(1) as pool:
        for here, there in (wires, wires[::-1]):
            waiting = claim_in_background(pool, here, agent)
            began = time.monotonic()
            run = made(there, flow)
            found, answered = waiting.result(30)
            assert found == [run]
            assert answered - began < AT_ONCE


def test_live_streams_at_every_worker_tell_of_it(site: PostgresSite, flow: UUID, agent: UUID) -> None:
    workers = site.all_workers()
    streams = [site.wire_to(worker).stream("/api/v1/events?topic=flow_run") for worker in workers]
    for stream in streams:
        assert "build" in next(stream)
    run = made(site.wire_to(workers[0]), flow)
    began = time.monotonic()
    for stream in streams:
        assert any(change["id"] == run for change in stream)
    assert time.monotonic() - began < AT_ONCE
    assert claims(site.wire_to(workers[1]), agent) == [run]


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_doubled(
    site: PostgresSite, flow: UUID, agent: UUID
) -> None:
    victim, other = site.all_workers()
    waiting_here, asking = site.wire_to(other), site.wire_to(other)
    with ThreadPoolExecutor(1) as pool:
        waiting = claim_in_background(pool, waiting_here, agent)
        victim.kill()
        run = made(asking, flow, idempotency_key="once")
        assert waiting.result(30)[0] == [run]
    until("a new worker listens", lambda: len(site.workers()) == 2 and victim not in site.workers())
    for worker in site.all_workers():
        assert made(site.wire_to(worker), flow, idempotency_key="once") == run


def test_the_same_key_at_every_worker_at_once_is_one_run(site: PostgresSite, flow: UUID, agent: UUID) -> None:
    wires = [site.wire_to(worker) for worker in site.all_workers() for _ in range(3)]
    with ThreadPoolExecutor(len(wires)) as pool:
        found = {future.result(30) for future in [pool.submit(made, wire, flow, idempotency_key="k") for wire in wires]}
    assert len(found) == 1
    assert claims(wires[0], agent) == list(found)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_postgres_is_over_soon(site: PostgresSite, scheduled: UUID, flow: UUID, mode: str) -> None:
    site.postgres.restart(mode)
    assert site.seconds_until_well() < BACK_WITHIN
    for worker in site.all_workers():
        wire = site.wire_to(worker)
        answers = [wire.ask("GET", f"{RUNS}?limit=5")[0] for _ in range(10)]
        answers += [create(wire, flow, labels=["nowhere"])[0] for _ in range(3)]
        assert set(answers) <= {200, 201}, "a connection of before the restart was used"


def test_backends_that_are_ended_every_second(site: PostgresSite, flow: UUID) -> None:
    stop, answers = threading.Event(), []

    def ask() -> None:
        wire = Wire(site.appliance.port)
        while not stop.is_set():
            answers.append(create(wire, flow, labels=["nowhere"])[0])
            answers.append(wire.ask("GET", f"{RUNS}?limit=5")[0])

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        time.sleep(1.0)  # what is tested is once a second
        site.postgres.end_backends()
    stop.set()
    for thread in threads:
        thread.join(30)
    assert set(answers) <= {200, 201, 503}
    assert answers.count(503) <= 2 * KILLS, f"{answers.count(503)} of {len(answers)} requests failed"
    assert len(answers) > 4 * KILLS


def timed(site: PostgresSite, method: str, path: str, body: Any = None) -> tuple[int, float]:
    began = time.monotonic()
    wire = Wire(site.appliance.port)
    status = wire.ask(method, path, body)[0]
    wire.close()
    return status, time.monotonic() - began


def test_a_postgres_that_falls_silent_is_told_in_time(site: PostgresSite, flow: UUID) -> None:
    asked = [
        ("GET", f"{RUNS}?limit=5", None),
        ("POST", RUNS, {"flow_id": str(flow), "labels": ["nowhere"]}),
        ("GET", "/readyz", None),
    ]
    site.proxy.set(proxy.HOLE)
    try:
        with ThreadPoolExecutor(12) as pool:
            answers = [future.result(60) for future in [pool.submit(timed, site, *one) for one in asked * 4]]
        answers += [timed(site, *one) for one in asked]
    finally:
        site.proxy.set(proxy.PASS)
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < LONGEST_ANSWER
    assert max(seconds for _, seconds in answers[-3:]) < 4.0, "who comes later waits for what is known"
    assert site.seconds_until_well() < BACK_WITHIN


def test_connections_that_vanish_are_replaced(site: PostgresSite, flow: UUID, agent: UUID) -> None:
    """As by a firewall that forgets them: new ones work, on the old ones nothing comes any more, and nobody says so."""
    site.proxy.strand()
    for _ in range(3):
        status, seconds = timed(site, "GET", f"{RUNS}?limit=5")
        assert status in (200, 503) and seconds < LONGEST_ANSWER
    assert site.seconds_until_well() < NO_STALE_ONE_AFTER
    workers = site.all_workers()

    def is_told_at_once() -> bool:
        with ThreadPoolExecutor(1) as pool:
            waiting = claim_in_background(pool, site.wire_to(workers[0]), agent)
            began = time.monotonic()
            run = made(site.wire_to(workers[1]), flow)
            found, answered = waiting.result(30)
        return found == [run] and answered - began < AT_ONCE

    until("the listening connection is a new one", is_told_at_once, NO_STALE_ONE_AFTER)


def test_a_postgres_that_takes_no_changes(site: PostgresSite, flow: UUID) -> None:
    site.postgres.sql("alter system set default_transaction_read_only = on; select pg_reload_conf();")
    site.postgres.end_backends()
    try:
        wire = Wire(site.appliance.port)
        until("changes are refused", lambda: create(wire, flow, labels=["nowhere"])[0] == 503)
        assert "read-only" in create(wire, flow)[1]["message"]
        assert wire.ask("GET", f"{RUNS}?limit=5")[0] == 200
        status, ready = wire.ask("GET", "/readyz")
        assert status == 503 and "read-only" in ready["reasons"][0]
    finally:
        site.postgres.sql(
            "set default_transaction_read_only = off; alter system reset default_transaction_read_only; select pg_reload_conf();"
        )
        site.postgres.end_backends()
    assert site.seconds_until_well() < BACK_WITHIN
    made(Wire(site.appliance.port), flow, labels=["nowhere"])


def test_a_postgres_without_room_for_connections(site: PostgresSite, flow: UUID) -> None:
    site.postgres.sql(f"alter role {NAME} connection limit 0;")
    site.postgres.end_backends()
    try:
        answers = [timed(site, "GET", f"{RUNS}?limit=5") for _ in range(4)]
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < 5.0
    finally:
        site.postgres.sql(f"alter role {NAME} connection limit -1;")
    assert site.seconds_until_well() < BACK_WITHIN


def test_a_services_process_that_goes_leaves_no_due_time_out_and_doubles_none(
    site: PostgresSite, scheduled: UUID
) -> None:
    leader = until("somebody plans", lambda: _leader(site))
    before = len(_due_times(site, scheduled))
    os.kill(leader, signal.SIGKILL if depth.is_full() else signal.SIGTERM)
    until("another process plans", lambda: _leader(site) not in (leader, 0))
    until("planning goes on", lambda: len(_due_times(site, scheduled)) > before)
    site.start_services()
    due = _due_times(site, scheduled)
    assert len(due) == len(set(due))
    skipped = rows(site.database, "select count from schedule_skip")
    seconds = round((max(due) - min(due)).total_seconds()) + 1
    assert len(due) + sum(row["count"] for row in skipped) == seconds


def _leader(site: PostgresSite) -> int:
    """The process that plans; 0 while nobody does."""
    found = leases.find(site.database, "scheduler")
    return int(found.holder.split(":")[1]) if found is not None and found.holder else 0


def _due_times(site: PostgresSite, flow: UUID) -> list[datetime]:
    due = rows(site.database, "select due_at from flow_run where flow_id = :flow", flow=flow)
    return [datetime.fromisoformat(row["due_at"]) for row in due]


def test_the_run_has_gone_through_all_of_it(site: PostgresSite, chain: str) -> None:
    site.appliance.wait_for(chain, "SUCCESS", seconds=60)
    tasks = site.appliance.items(f"{RUNS}/{chain}/task-runs")
    assert sum(task["task_slug"].startswith("link") and task["state"] == "Success" for task in tasks) == 200
    check_histories(site.database)
