"""Which pairs of a SQLite database and a log are sound can be told before opening them."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from appliance.server.db import sqlite, start_check
from appliance.server.db.sqlite import dbapi
from appliance.server.db.write_ahead_log import FRAME_HEADER, HEADER, checksum
from appliance.server.errors import Damaged
from tests.depth import examples


class Site:
    """A database with two connections, as a server and its services have it. A crash is a copy of its files while it is open."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.file = folder / "appliance.db"
        self.random = random.Random(seed)
        self.open()
        for number in range(40):
            self.connections[0].execute(f"create table t{number} (a integer primary key, b blob)")
        self.restart()

    def open(self) -> None:
        self.connections = [self._connect(), self._connect()]

    def _connect(self) -> Any:
        connection = dbapi.connect(self.file, isolation_level=None)
        for pragma in ("auto_vacuum=incremental", "journal_mode=wal", "synchronous=off", "wal_autocheckpoint=40"):
            connection.execute(f"pragma {pragma}")
        return connection

    def restart(self) -> None:
        self.close()
        start_check.check(self.file)
        start_check.begin_generation(self.file)
        self.open()

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

    def change(self) -> None:
        connection = self.random.choice(self.connections)
        table = f"t{self.random.randrange(40)}"
        match self.random.randrange(6):
            case 0:
                connection.execute(f"delete from {table} where a % 2")
            case 1:
                connection.execute(f"update {table} set b = randomblob(10)")
            case 2:
                connection.execute(f"pragma wal_checkpoint({self.random.choice(['passive', 'full', 'truncate'])})")
            case _:
                size = self.random.choice([10, 3000, 50_000])
                connection.execute(f"insert into {table} (b) values (randomblob({size}))")

    def write(self, times: int) -> None:
        """Commits that are all still in the log."""
        for number in range(times):
            connection = self.connections[number % 2]
            connection.execute("pragma wal_autocheckpoint=0")
            connection.execute("insert into t1 (b) values (randomblob(9000))")

    def crash(self, folder: Path) -> Path:
        """The files as a crash leaves them."""
        folder.mkdir(exist_ok=True)
        for suffix in ("", "-wal", "-shm"):
            source = sqlite.beside(self.file, suffix)
            if source.exists():
                shutil.copy(source, folder / source.name)
        return folder / self.file.name


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_no_crash_is_taken_for_damage(tmp_path: Path) -> None:
    for seed in range(examples(12)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        site = Site(folder, seed)
        for step in range(60):
            site.change()
            if step % 3 == 0:
                start_check.check(site.crash(folder / "crash"))
            if site.random.random() < 0.05:
                site.restart()
        site.close()


def test_a_torn_tail_is_no_damage(place: Site, tmp_path: Path) -> None:
    place.write(10)
    crashed = place.crash(tmp_path / "crash")
    wal = sqlite.beside(crashed, "-wal")
    whole = wal.read_bytes()
    for length in range(0, len(whole), 1009):
        wal.write_bytes(whole[:length])
        start_check.check(crashed)


def test_pages_of_the_last_transaction_may_be_missing(place: Site, tmp_path: Path) -> None:
    """A power cut may keep any of the blocks that were not synced yet."""
    place.write(10)
    before = sqlite.beside(place.file, "-wal").stat().st_size
    place.connections[0].execute("insert into t2 (b) values (randomblob(60000))")
    crashed = place.crash(tmp_path / "crash")
    wal = sqlite.beside(crashed, "-wal")
    whole = wal.read_bytes()
    for at in range(before, len(whole) - 4096, 4096):
        torn = bytearray(whole)
        torn[at : at + 4096] = bytes(4096)
        wal.write_bytes(torn)
        start_check.check(crashed)


def test_every_flipped_byte_before_a_later_commit_is_noticed(place: Site, tmp_path: Path) -> None:
    place.write(12)
    crashed = place.crash(tmp_path / "crash")
    wal = sqlite.beside(crashed, "-wal")
    whole = wal.read_bytes()
    ends = _commits(whole)
    chosen = random.Random(1)
    places = [*range(HEADER), *(chosen.randrange(HEADER, ends[-3]) for _ in range(examples(200)))]
    places += [end - 4096 - FRAME_HEADER + offset for end in ends[:-2] for offset in range(FRAME_HEADER)]
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << chosen.randrange(8)
        wal.write_bytes(damaged)
        with pytest.raises(Damaged, match="is damaged"):
            start_check.check(crashed)


def _commits(wal: bytes) -> list[int]:
    """Where each transaction in the log ends."""
    step = FRAME_HEADER + 4096
    ends = range(HEADER + step, len(wal) + 1, step)
    return [end for end in ends if struct.unpack(">I", wal[end - step + 4 : end - step + 8])[0]]


def _copied_when_stopped(place: Site, copy: Path) -> None:
    place.close()
    shutil.copy(place.file, copy)
    place.restart()


def _copied_online(place: Site, copy: Path) -> None:
    with closing(dbapi.connect(copy)) as target:
        place.connections[0].backup(target)


def _copied_by_vacuum(place: Site, copy: Path) -> None:
    place.connections[0].execute("vacuum into ?", (str(copy),))


def _of_another_site(place: Site, copy: Path) -> None:
    folder = copy.parent / "other"
    folder.mkdir()
    other = Site(folder)
    other.close()
    shutil.copy(other.file, copy)


COPIES = [_copied_when_stopped, _copied_online, _copied_by_vacuum, _of_another_site]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("afterwards", [1, 5, 30])
def test_a_log_beside_a_restored_database_is_refused(
    place: Site, tmp_path: Path, copied: Callable[[Site, Path], None], afterwards: int
) -> None:
    place.write(5)
    copied(place, tmp_path / "copy.db")
    place.write(afterwards)
    crashed = place.crash(tmp_path / "crash")
    shutil.copy(tmp_path / "copy.db", crashed)
    before = {path.name: path.read_bytes() for path in crashed.parent.iterdir()}
    with pytest.raises(Damaged, match=r"appliance\.db-wal does not belong to appliance\.db"):
        start_check.check(crashed)
    assert {path.name: path.read_bytes() for path in crashed.parent.iterdir()} == before
    sqlite.beside(crashed, "-wal").unlink()
    start_check.check(crashed)


def test_a_log_without_its_database_is_refused(place: Site, tmp_path: Path) -> None:
    place.write(3)
    crashed = place.crash(tmp_path / "crash")
    crashed.unlink()
    with pytest.raises(Damaged, match="missing or empty"):
        start_check.check(crashed)


def test_a_rollback_journal_of_another_database_is_refused(place: Site, tmp_path: Path) -> None:
    place.close()
    header = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + struct.pack(">5I", 3, 7, 20, 512, 4096)
    sqlite.beside(place.file, "-journal").write_bytes(header.ljust(512, b"\0") + bytes(3 * 4104))
    with pytest.raises(Damaged, match="-journal does not belong"):
        start_check.check(place.file)


@pytest.mark.parametrize("length", [50, 100, 5000, 20_000])
def test_a_part_of_a_database_is_refused(place: Site, length: int) -> None:
    place.close()
    with place.file.open("r+b") as file:
        file.truncate(length)
    with pytest.raises(Damaged, match=r"its end is missing|beginning is damaged"):
        start_check.check(place.file)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "appliance.db").write_text("No database at all.\n" * 100)
    with pytest.raises(Damaged, match="not a SQLite database"):
        start_check.check(tmp_path / "appliance.db")


def test_what_an_open_database_is_doing_is_not_judged(place: Site) -> None:
    place.write(3)
    sqlite.beside(place.file, "-wal").write_bytes(b"")  # it would be damage if nobody had it open
    start_check.check(place.file)


def test_an_empty_or_missing_database_is_a_new_one(tmp_path: Path) -> None:
    start_check.check(tmp_path / "appliance.db")
    (tmp_path / "appliance.db").touch()
    start_check.check(tmp_path / "appliance.db")


def test_folding_leaves_one_file(place: Site) -> None:
    place.write(3)
    place.close()
    start_check.fold(place.file)
    assert [path.name for path in place.file.parent.iterdir()] == ["appliance.db"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_checksum_is_sqlites(order: str) -> None:
    data = random.Random(3).randbytes(4096)
    one, two = 7, 11
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    assert checksum(order, data, (7, 11)) == (one, two)


def test_the_library_is_free_of_the_fault_in_resets() -> None:
    assert sqlite.is_sound()
