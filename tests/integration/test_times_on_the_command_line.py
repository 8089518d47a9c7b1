"""The command line prints and reads times in one zone that it names; JSON is in UTC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from appliance.cli.root import invoke
from appliance.kit import clock
from tests.integration.builders import begun, create, line, register, send
from tests.integration.lasting import address, database, site
from tests.integration.server_fixtures import Site
from tests.integration.test_job_doors import run

__all__ = ["address", "database", "run", "site"]
Run = Callable[..., str]
NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin, at a time that stands still."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    with clock.stopped(lambda: NOW):
        yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("options", "zone", "shown"),
    [
        ((), "Europe/Berlin", "2026-03-03 00:30:00"),
        (("--timezone", "Asia/Tokyo"), "Asia/Tokyo", "2026-03-03 08:30:00"),
        (("--timezone", "UTC"), "UTC", "2026-03-02 23:30:00"),
    ],
)
def test_a_table_is_in_one_zone_that_its_header_names(
    site: Site, run: Run, options: tuple[str, ...], zone: str, shown: str
) -> None:
    begun(site.database)
    for noun, column in (("flow-runs", "STARTED"), ("agents", "LAST SEEN")):
        for told in (run("get", noun, *options), run(*options, "get", noun)):
            assert f"{column} ({zone})" in told and shown in told
    (one,) = msgspec.json.decode(run("get", "flow-runs", *options, "--json"))
    assert one["start_time"] == "2026-03-02T23:30:00Z"


def test_times_without_an_offset_are_in_the_zone(site: Site, run: Run) -> None:
    create(site.database, register(site.database).flow_id)
    for since, found in (
        ("2026-03-03T00:30:00", 1),
        ("2026-03-03T00:31", 0),
        ("2026-03-03", 1),
        ("2026-03-02T23:30:00Z", 1),
        ("2026-03-02T23:31:00Z", 0),
        ("1h", 1),
    ):
        listed = msgspec.json.decode(run("get", "flow-runs", "--since", since, "--json"))
        assert len(listed) == found, since
    made = msgspec.json.decode(
        run("--timezone", "America/New_York", "run", "etl", "--at", "2026-07-01T09:00", "--json")
    )
    assert made["scheduled_time"] == "2026-07-01T13:00:00Z"
    made = msgspec.json.decode(run("run", "etl", "--at", "2026-03-29T02:30", "--json"))
    assert made["scheduled_time"] == "2026-03-29T01:00:00Z", "clocks skip 02:30, so it is the first instant after"


def test_sentences_name_the_zone(site: Site, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    one, _agent = begun(site.database)
    send(site.database, one, 1, line("hello", at=NOW))
    assert "00:30:00.000" in run("logs", str(one))
    assert invoke(["logs", str(one), "--timezone", "Asia/Tokyo"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "Times are in Asia/Tokyo.\n" and printed.out.startswith("08:30:00.000")
    assert "Next: 2026-03-03 01:00:00 Europe/Berlin" in run("schedule", "add", "etl", "--cron", "0 * * * *")
    period = ("--start", "2026-01-01T00:00:00Z", "--end", "2026-01-01T02:00:00Z")
    told = run("backfill", "--schedule", "etl", *period, "--preview")
    assert "from 2026-01-01 01:00:00 to 2026-01-01 02:00:00 Europe/Berlin" in told


def test_reasons_for_waiting_are_in_the_zone(site: Site, run: Run) -> None:
    register(site.database)
    run("run", "etl", "--at", "2026-07-01T09:00")
    listed = ("get", "flow-runs", "--include-future")
    assert "Due at 2026-07-01 09:00:00 Europe/Berlin." in run(*listed)
    assert "Due at 2026-07-01 16:00:00 Asia/Tokyo." in run(*listed, "--timezone", "Asia/Tokyo")
    assert "Due at 2026-07-01 07:00:00 UTC." in run(*listed, "--json")


def test_a_zone_that_does_not_exist_is_refused(
    site: Site, run: Run, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong, meant in (("Europe/Brelin", "Europe/Berlin"), ("asia/tokyo", "Asia/Tokyo")):
        assert invoke(["get", "flow-runs", "--timezone", wrong]) == 2
        assert f"There is no time zone {wrong!r}; did you mean {meant!r}?" in capsys.readouterr().err
    run("get", "flow-runs", "--timezone", "Moon", code=2)
    run("--timezone", "../UTC", "get", "flow-runs", code=2)
