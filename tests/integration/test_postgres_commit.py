"""The answer to a COMMIT is lost on its way: who asks again under the same key hears what was done the first time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import make_url

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.kit import ids
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.app import create_app
from appliance.server.db.session import Database
from tests.chaos.proxy import PASS, SWALLOW_MARKED, Proxy
from tests.integration.builders import check_histories, create, one, register, rows
from tests.integration.databases import empty
from tests.integration.server_fixtures import Site, add_token, add_user

TIMES = 3


@pytest.fixture
def proxy(postgres_database: str) -> Iterator[Proxy]:
    url = make_url(postgres_database)
    opened = Proxy(f"{url.query['host']}/.s.PGSQL.5432", mark=b"COMMIT\x00")
    yield opened
    opened.close()


@pytest.fixture
def lossy(postgres_database: str, proxy: Proxy) -> Iterator[Database]:
    empty(postgres_database)
    url = make_url(postgres_database).set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable"})
    opened = Database(url.render_as_string(hide_password=False))
    yield opened
    proxy.set(PASS)
    opened.dispose()


@pytest.fixture
def lossy_site(lossy: Database) -> Iterator[Site]:
    app = create_app(Settings(), lossy)
    with TestClient(app, raise_server_exceptions=False) as client:
        site = Site(app, client, lossy)
        add_user(lossy, "operator", "operator")
        site.tokens["operator"] = add_token(lossy, "operator")
        yield site


def mutations(site: Site) -> dict[str, Any]:
    """By name: what is asked, as often as one likes."""
    flow = register(site.database, content=str(ids.uuid7())).flow_id
    run = create(site.database, flow)
    cancel = "mutation ($input: CancelFlowRunInput!) { cancelFlowRun(input: $input) { flowRun { id state { name } } } }"
    made = {"flow_id": str(flow), "idempotency_key": str(ids.uuid7())}
    cancelled = {"input": {"flowRunId": str(run), "idempotencyKey": str(ids.uuid7())}}
    return {
        "create": lambda: site.post("/api/v1/flow-runs", made),
        "cancel": lambda: site.post("/graphql", {"query": cancel, "variables": cancelled}),
    }


@pytest.mark.parametrize("name", ["create", "cancel"])
def test_asking_again_gives_the_one_answer(lossy_site: Site, proxy: Proxy, name: str) -> None:
    for _ in range(TIMES):
        ask = mutations(lossy_site)[name]
        lost = proxy.lost
        before = one(lossy_site.database, "select count(*) as n from flow_run_state")["n"]
        proxy.set(SWALLOW_MARKED)
        first = ask()
        proxy.set(PASS)
        assert "may have kept" in first.text
        assert proxy.lost > lost
        second, third = ask(), ask()
        assert second.json() == third.json() and "errors" not in second.json()
        assert one(lossy_site.database, "select count(*) as n from flow_run_state")["n"] == before + 1
    check_histories(lossy_site.database)


def test_a_client_that_tries_again_by_itself_makes_one_run(lossy_site: Site, proxy: Proxy) -> None:
    flow = register(lossy_site.database).flow_id
    transport = Transport(
        "http://testserver",
        lossy_site.tokens["operator"],
        http=lossy_site.client,
        sleep=lambda _seconds: proxy.set(PASS),
    )
    proxy.set(SWALLOW_MARKED)
    run = flow_runs.create(transport, CreateFlowRun(flow_id=flow, idempotency_key="k"))
    assert proxy.lost > 0
    assert [row["id"] for row in rows(lossy_site.database, "select id from flow_run")] == [run.id]
