"""A length of time instead of an end: repeated later under the same key, the request is the same and keeps its first end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from appliance.cli.root import invoke
from appliance.config import Settings
from appliance.server.app import create_app
from tests.integration.builders import rows
from tests.integration.conftest import StoppedClock
from tests.integration.lasting import database, site
from tests.integration.server_fixtures import Site, listening

__all__ = ["database", "site"]

KEY = "c1f7a7a0-51f4-4be0-8d53-7b1d6a2f9e10"
BEGIN = "mutation ($input: BeginMaintenanceInput!) { beginMaintenance(input: $input) { maintenance { active until reason } } }"


def _token(site: Site, **fields: Any) -> Any:
    return site.client.post("/api/v1/tokens", json={"name": "ci"} | fields, headers=_headers(site))


def _maintenance(site: Site, **fields: Any) -> Any:
    return site.client.put("/api/v1/system/maintenance", json=fields, headers=_headers(site))


def _headers(site: Site) -> dict[str, str]:
    return site.headers("admin") | {"Idempotency-Key": KEY}


def test_a_token_in_rest(site: Site, clock: StoppedClock) -> None:
    began = clock.time
    first = _token(site, expires_in=3_600)
    clock.move(60)
    again = _token(site, expires_in=3_600.0)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert datetime.fromisoformat(first.json()["view"]["expires_at"]) == began + timedelta(hours=1)
    assert _token(site, expires_in=7_200).json()["code"] == "key_reused"


def test_maintenance_in_rest(site: Site, clock: StoppedClock) -> None:
    began = clock.time
    first = _maintenance(site, reason="disks", duration=5_400)
    clock.move(60)
    again = _maintenance(site, reason="disks", duration=5_400)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert datetime.fromisoformat(first.json()["until"]) == began + timedelta(minutes=90)
    assert _maintenance(site, reason="disks", duration=60).json()["code"] == "key_reused"


def test_maintenance_in_graphql(site: Site, clock: StoppedClock) -> None:
    began, fields = clock.time, {"duration": 5_400.0, "idempotencyKey": KEY}
    first = site.data(BEGIN, "admin", input=fields)
    clock.move(60)
    assert site.data(BEGIN, "admin", input=fields) == first
    until = first["beginMaintenance"]["maintenance"]["until"]
    assert datetime.fromisoformat(until) == began + timedelta(minutes=90)


@pytest.mark.parametrize("command", ["token create ci --expires-in 30d", "maintenance begin --for 90m"])
def test_the_command_line(
    site: Site, settings: Settings, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("APPLIANCE_TOKEN", site.tokens["admin"])
    with listening(create_app(settings, site.database)) as url:
        monkeypatch.setenv("APPLIANCE_URL", url)
        for _ in range(2):
            assert invoke([*command.split(), "--idempotency-key", KEY]) == 0
            clock.move(60)
    assert len(rows(site.database, "select verb from request_key")) == 1


def test_older_clients_send_the_end(site: Site, clock: StoppedClock) -> None:
    end = (clock.time + timedelta(hours=1)).isoformat()
    assert datetime.fromisoformat(_token(site, expires_at=end).json()["view"]["expires_at"]).isoformat() == end
    answer = site.client.put("/api/v1/system/maintenance", json={"until": end}, headers=site.headers("admin"))
    assert datetime.fromisoformat(answer.json()["until"]).isoformat() == end


@pytest.mark.parametrize("seconds", [0, -1, 1e12])
@pytest.mark.parametrize(("send", "field"), [(_token, "expires_in"), (_maintenance, "duration")])
def test_a_wrong_length_is_refused(site: Site, send: Any, field: str, seconds: float) -> None:
    answer = send(site, **{field: seconds})
    assert answer.status_code == 400 and field in answer.json()["message"]


@pytest.mark.parametrize(
    ("send", "time", "field"), [(_token, "expires_at", "expires_in"), (_maintenance, "until", "duration")]
)
def test_an_end_and_a_length_exclude_each_other(site: Site, send: Any, time: str, field: str) -> None:
    answer = send(site, **{time: "2099-01-01T00:00:00Z", field: 60})
    assert answer.status_code == 400 and time in answer.json()["message"] and field in answer.json()["message"]
