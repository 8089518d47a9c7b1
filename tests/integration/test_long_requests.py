"""Requests that last see what is taken back in the meantime: live streams end, and waiting claims get no work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from appliance.kit import clock
from appliance.protocol.users import EditUser, SetPassword
from appliance.server.actions import passwords, tokens, users
from appliance.server.api import events
from appliance.server.auth.identity import SYSTEM
from appliance.server.db.writes import tokens as write_tokens
from tests.integration import builders
from tests.integration.builders import one
from tests.integration.server_fixtures import Site, listening
from tests.integration.test_web import Stream, waiting, whole


def _user(site: Site, name: str) -> UUID:
    return UUID(str(one(site.database, 'select id from "user" where username = :name', name=name)["id"]))


def _token(site: Site, secret: str) -> UUID:
    row = one(site.database, "select id from api_token where prefix = :prefix", prefix=site.tokens[secret][:12])
    return UUID(str(row["id"]))


TAKEN_BACK: dict[str, Callable[[Site], object]] = {
    "user disabled": lambda site: users.edit(site.database, SYSTEM, _user(site, "viewer"), EditUser(disabled=True)),
    "user deleted": lambda site: users.delete(site.database, SYSTEM, _user(site, "viewer")),
    "token revoked": lambda site: tokens.revoke(site.database, SYSTEM, _token(site, "viewer")),
}


@pytest.mark.parametrize("how", sorted(TAKEN_BACK))
def test_a_stream_ends_at_once(site: Site, how: str) -> None:
    """Also one on other topics, which hears nothing of it."""
    with listening(whole(site.database)) as url:
        stream = Stream(f"{url}/api/v1/events?topic=flow_run", site.headers("viewer"))
        stream.wait_for("heartbeat")
        began = clock.monotonic()
        TAKEN_BACK[how](site)
        assert stream.join()
        assert clock.monotonic() - began < events.HEARTBEAT / 2
        assert [event for event in stream.events if event.get("event") == "change"] == []


def test_other_streams_go_on(site: Site) -> None:
    with listening(whole(site.database)) as url:
        stream = Stream(f"{url}/api/v1/events?topic=flow_run", site.headers("viewer"))
        stream.wait_for("heartbeat")
        operator = _user(site, "operator")
        passwords.set_for(site.database, SYSTEM, operator, SetPassword(password="correct horse battery"), None)
        users.edit(site.database, SYSTEM, operator, EditUser(disabled=True))
        builders.create(site.database, builders.register(site.database).flow_id)
        stream.wait_for("change")


def test_a_stream_that_is_never_quiet_looks_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token expires without an event."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.2)
    with listening(whole(site.database)) as url:
        stream = Stream(f"{url}/api/v1/events", site.headers("viewer"))
        stream.wait_for("heartbeat")
        with site.database.write() as session:
            write_tokens.shorten(session, _token(site, "viewer"), clock.now())
        flow = builders.register(site.database).flow_id
        until = clock.monotonic() + 10
        while stream.is_open() and clock.monotonic() < until:
            builders.create(site.database, flow)
        assert stream.join()


def test_a_waiting_claim_gets_no_work_after_its_token_has_ended(site: Site) -> None:
    agent = builders.enrol(site.database)
    flow = builders.register(site.database).flow_id
    app = whole(site.database)
    with listening(app) as url, ThreadPoolExecutor(1) as pool:
        future = waiting(pool, app, url, site, agent)
        with site.database.write() as session:  # without an event, so that the claim goes on waiting
            write_tokens.shorten(session, _token(site, "agent"), clock.now())
        run = builders.create(site.database, flow)
        _, answer = future.result(15)
        assert answer["code"] == "unauthenticated"
    assert one(site.database, "select state_name from flow_run where id = :id", id=run)["state_name"] == "Scheduled"


def test_a_waiting_claim_ends_when_its_token_is_revoked(site: Site) -> None:
    agent = builders.enrol(site.database)
    app = whole(site.database)
    with listening(app) as url, ThreadPoolExecutor(1) as pool:
        future = waiting(pool, app, url, site, agent)
        began = clock.monotonic()
        tokens.revoke(site.database, SYSTEM, _token(site, "agent"))
        answered, answer = future.result(15)
        assert answer["code"] == "unauthenticated"
        assert answered - began < 5
