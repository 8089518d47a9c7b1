"""A disk that fills: refused in time with a reason, read all the while, healed by an administrator, well again by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy.exc import OperationalError

from appliance.config import Settings
from appliance.kit import clock as kit_clock
from appliance.server.actions import disk
from appliance.server.app import create_app
from appliance.server.auth import passwords
from appliance.server.db.faults import passing_faults
from appliance.server.db.session import Database, open_database
from appliance.server.db.space import FILE, Space
from appliance.server.db.sqlite import dbapi as sqlite3
from appliance.server.errors import DiskFull
from appliance.server.services.disk import Disk
from tests.integration import builders
from tests.integration.conftest import StoppedClock
from tests.integration.server_fixtures import ROLES, Site, add_token, add_user

MB = 2**20


class Narrow(Space):
    """A disk whose free bytes a test sets."""

    left = 1_000 * MB

    def free(self) -> int:
        return self.left + self.reserve - self.reserved()

    def total(self) -> int:
        return 1_000 * MB


@pytest.fixture
def narrow(tmp_path: Path) -> Narrow:
    return Narrow(tmp_path, reserve=8 * MB, least_free=4 * MB)


@pytest.fixture
def full_site(tmp_path: Path, sqlite_template: Path, narrow: Narrow) -> Iterator[Site]:
    """A site on a disk that is about to be full."""
    (tmp_path / "appliance.db").write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{tmp_path / 'appliance.db'}", space=narrow)
    for role in ROLES:
        add_user(database, role, role, passwords.hash_password("a long enough one"))
    tokens = {role: add_token(database, role) for role in ROLES}
    assert narrow.restore()
    with TestClient(create_app(Settings(), database), raise_server_exceptions=False) as client:
        yield Site(client.app, client, database, tokens)
    database.dispose()


def test_changes_are_refused_before_the_disk_is_full(narrow: Narrow) -> None:
    assert narrow.restore() and narrow.reserved() == 8 * MB
    narrow.left = 4 * MB - 8 * MB + narrow.reserved()
    narrow.admit(lambda: 0)
    narrow.left -= 1
    with pytest.raises(DiskFull, match="administrator") as refused:
        narrow.admit(lambda: 10**12)
    assert refused.value.details["wanted_bytes"] == 4 * MB


def test_without_the_reserve_its_room_is_kept_for_it(narrow: Narrow) -> None:
    assert not narrow.reserved()
    narrow.left = 4 * MB - 1  # 12 MB free: the reserve could just not be made again
    with pytest.raises(DiskFull):
        narrow.admit(lambda: 0)
    narrow.admit(lambda: MB)  # what is unused inside the database counts
    assert not narrow.restore(), "there must be more than just enough"
    narrow.left = 20 * MB
    assert narrow.restore() and (narrow.folder / FILE).stat().st_blocks * 512 >= 8 * MB, "no hole"
    assert narrow.restore() and narrow.give_up() and not narrow.give_up()


def test_the_reserve_is_not_written_through_a_link(narrow: Narrow, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("other")
    (narrow.folder / FILE).with_suffix(".part").symlink_to(other)
    assert narrow.restore()
    assert other.read_text() == "other"
    assert not (narrow.folder / FILE).is_symlink()


def test_an_essential_change_takes_the_reserve_only_in_need(narrow: Narrow) -> None:
    narrow.restore()
    narrow.left = 5 * MB
    narrow.admit_essential()
    assert narrow.reserved()
    narrow.left = 0
    narrow.admit_essential()
    assert not narrow.reserved() and narrow.free() == 8 * MB


def _sign_in(site: Site) -> Any:
    return site.client.post("/api/v1/login", json={"username": "admin", "password": "a long enough one"})


def test_on_a_full_disk_reading_and_signing_in_work_and_changes_are_refused(full_site: Site, narrow: Narrow) -> None:
    flow = builders.register(full_site.database).flow_id
    before = builders.rows(full_site.database, "select count(*) as n from flow_run")
    narrow.left = 0
    began = kit_clock.monotonic()
    refused = full_site.post("/api/v1/flow-runs", {"flow_id": str(flow)})
    assert refused.status_code == 503 and refused.json()["code"] == "disk_full" and kit_clock.monotonic() - began < 2
    assert "full" in refused.json()["message"] and "administrator" in refused.json()["message"]
    assert full_site.get("/api/v1/flow-runs").status_code == 200
    assert _sign_in(full_site).status_code == 200
    ready = full_site.client.get("/readyz")
    assert ready.status_code == 503 and "full" in ready.json()["reasons"][0]
    assert full_site.client.get("/healthz").status_code == 200
    shown = full_site.get("/api/v1/system/disk").json()
    assert shown["writable"] is False and shown["warnings"]
    assert "appliance_disk_writable 0.0" in full_site.client.get("/metrics").text
    assert builders.rows(full_site.database, "select count(*) as n from flow_run") == before
    narrow.left = 500 * MB
    assert full_site.post("/api/v1/flow-runs", {"flow_id": str(flow)}).status_code == 201
    assert full_site.client.get("/readyz").status_code == 200


def free_by_rest(site: Site, days: float) -> tuple[dict[str, int], int, bool]:
    """The deleted rows, the freed bytes, and whether the disk has room afterwards."""
    answer = site.post("/api/v1/system/free-space", {"keep_days": days}, "admin")
    assert answer.status_code == 200, answer.text
    freed = answer.json()
    return freed["deleted"], freed["freed_bytes"], freed["disk"]["writable"]


def free_by_graphql(site: Site, days: float) -> tuple[dict[str, int], int, bool]:
    text = """mutation($input: FreeSpaceInput!) {
      freeSpace(input: $input) { deleted { kind count } freedBytes disk { writable } } }"""
    freed = site.data(text, "admin", input={"keepDays": days})["freeSpace"]
    return {row["kind"]: row["count"] for row in freed["deleted"]}, freed["freedBytes"], freed["disk"]["writable"]


@pytest.mark.parametrize("free", [free_by_rest, free_by_graphql])
def test_an_administrator_frees_space_and_the_reserve_is_made_again(
    full_site: Site, narrow: Narrow, free: Callable[[Site, float], tuple[dict[str, int], int, bool]]
) -> None:
    run, _agent = builders.begun(full_site.database)
    for seq in range(1, 21):
        builders.send(full_site.database, run, seq, *(builders.line("x" * 5_000) for _ in range(100)))
    builders.send(full_site.database, run, 21, builders.flow("SUCCESS", "Success"))
    full_site.database.fold_log()
    path = narrow.folder / "appliance.db"
    large = path.stat().st_size
    assert large > 10 * MB

    def left(_self: Narrow) -> int:  # as on a real disk: what the file gives back is free
        return large - path.stat().st_size

    type(narrow).left, kept = property(left), type(narrow).left  # type: ignore[assignment]
    try:
        assert free(full_site, 365)[2] is False
        assert not narrow.reserved(), "it is given up, and there is no room for it yet"
        deleted, freed_bytes, writable = free(full_site, 0)
        assert deleted["logs"] >= 1_999 and freed_bytes > 8 * MB
        assert writable is True
        builders.create(full_site.database, builders.register(full_site.database, "again").flow_id)
    finally:
        type(narrow).left = kept
    Disk(full_site.database).run_once(kit_clock.now())
    assert narrow.reserved() == 8 * MB
    assert builders.one(full_site.database, "pragma integrity_check")["integrity_check"] == "ok"
    assert full_site.post("/api/v1/system/free-space", {"keep_days": 0}, "operator").status_code == 403


def test_the_forecast_is_told_before_it_is_too_late(full_site: Site, narrow: Narrow, clock: StoppedClock) -> None:
    service = Disk(full_site.database)
    for _ in range(24):
        service.run_once(clock.move(3_600))
        narrow.left -= 10 * MB
    shown = full_site.get("/api/v1/system/disk", "admin").json()
    assert 2 < shown["days_left"] < 4
    ready = full_site.client.get("/readyz")
    assert ready.status_code == 200 and "days" in ready.json()["warnings"][0]
    assert "appliance_disk_full_in_days" in full_site.client.get("/metrics").text
    assert full_site.database.space is not None
    assert disk.measure(full_site.database, 0).warnings == shown["warnings"]


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database or disk is full"),
        SimpleNamespace(sqlstate="53100"),
    ],
)
def test_what_the_database_says_of_a_full_disk_is_known(error: Any) -> None:
    with pytest.raises(DiskFull), passing_faults():
        raise OperationalError("insert", {}, error)


def test_the_settings_place_the_reserve_beside_the_file(tmp_path: Path) -> None:
    space = open_database(Settings(data_dir=str(tmp_path), disk_reserve_bytes=5, disk_least_free_bytes=6)).space
    assert space is not None and (space.folder, space.reserve, space.least_free) == (tmp_path, 5, 6)
    assert open_database(Settings(database_url="postgresql://nobody@127.0.0.1:1/none")).space is None


def test_a_long_log_is_folded(full_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    builders.register(full_site.database)
    log = full_site.database.space.folder / "appliance.db-wal"  # type: ignore[union-attr]
    assert log.stat().st_size > 0
    assert not disk.keep_log_small(full_site.database)
    monkeypatch.setattr(disk, "_LONG_LOG", 1)
    assert disk.keep_log_small(full_site.database)
    assert log.stat().st_size == 0
