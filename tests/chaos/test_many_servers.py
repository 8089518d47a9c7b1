"""Many API workers on one Postgres: every one of them hears what happens at any other, and none does anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.postgres_site import PostgresSite, Wire, postgres_site
from tests.e2e.appliance_process import until
from tests.integration.builders import check_histories, register

pytestmark = [pytest.mark.full, pytest.mark.timeout(600), pytest.mark.xdist_group("postgres site")]

WORKERS = 8
RUNS = "/api/v1/flow-runs"


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresSite]:
    with postgres_site(WORKERS) as opened:
        yield opened


@pytest.fixture(scope="module")
def flow(site: PostgresSite) -> UUID:
    """A flow whose runs no agent takes."""
    return register(site.database, labels=["nowhere"]).flow_id


def create(wire: Wire, flow: UUID, **fields: Any) -> str:
    status, answer = wire.ask("POST", RUNS, {"flow_id": str(flow), **fields})
    assert status in (200, 201), answer
    return str(answer["id"])


def test_a_live_stream_at_every_worker_reports_a_run(site: PostgresSite, flow: UUID) -> None:
    workers = site.all_workers()
    streams = [site.wire_to(worker).stream("/api/v1/events?topic=flow_run") for worker in workers]
    for stream in streams:
        assert "build" in next(stream)
    for worker in workers:
        run = create(site.wire_to(worker), flow)
        for stream in streams:
            assert any(change["id"] == run for change in stream)


def test_a_key_used_at_every_worker_at_once_is_one_run(site: PostgresSite, flow: UUID) -> None:
    wires = [site.wire_to(worker) for worker in site.all_workers() for _ in range(3)]
    for number in range(20):
        with ThreadPoolExecutor(len(wires)) as pool:
            answers = [pool.submit(create, wire, flow, idempotency_key=f"key {number}") for wire in wires]
            assert len({answer.result(60) for answer in answers}) == 1


def test_every_worker_is_replaced_when_it_dies_and_nothing_is_doubled(site: PostgresSite, flow: UUID) -> None:
    run = create(Wire(site.appliance.port), flow, idempotency_key="once")
    for victim in site.all_workers():
        victim.kill()
        until("a new worker listens", lambda: len(site.workers()) == WORKERS and victim not in site.workers())  # noqa: B023
        for worker in site.all_workers():
            assert create(site.wire_to(worker), flow, idempotency_key="once") == run
    check_histories(site.database)
