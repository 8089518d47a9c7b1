"""The spool keeps the order across memory and file."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

from appliance.engine.tracked.events import text
from appliance.engine.tracked.heartbeat import Heartbeat
from appliance.engine.tracked.spool import Spool


def drain(spool: Spool) -> list[bytes]:
    found = []
    while len(spool):
        found.append(spool.first())
        spool.drop_first()
    return found


def test_reports_stay_in_memory_while_the_server_answers(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append(b"1")
    assert drain(spool) == [b"1"]
    assert not (tmp_path / "s").exists()


def test_order_holds_from_memory_to_disk_and_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append(b"1")
    spool.append(b"2")
    spool.to_disk()
    assert (tmp_path / "s").read_bytes() == b"1\n2\n"
    spool.append(b"3")
    assert spool.first() == b"1"
    spool.drop_first()
    spool.append(b"4")
    assert drain(spool) == [b"2", b"3", b"4"]
    assert not (tmp_path / "s").exists()
    spool.append(b"5")
    assert drain(spool) == [b"5"]


def test_the_first_report_can_be_replaced(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append(b"1")
    spool.append(b"2")
    spool.to_disk()
    spool.replace_first(b"one")
    assert drain(spool) == [b"one", b"2"]


def test_a_full_disk_keeps_the_order_in_memory(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(tmp_path / "s")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
        reports = [bytes([65 + number]) * 9_999 for number in range(8)]
        spool.append(reports[0])
        spool.to_disk()
        for report in reports[1:]:
            spool.append(report)
        assert (tmp_path / "s").stat().st_size == 40_000
        assert drain(spool) == reports
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "s").exists()


def test_a_directory_that_is_gone_keeps_reports_in_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gone" / "s")
    spool.append(b"1")
    spool.to_disk()
    spool.append(b"2")
    assert drain(spool) == [b"1", b"2"]


def test_a_heartbeat_is_due_one_interval_after_the_last_report() -> None:
    heartbeat = Heartbeat(10.0, now=100.0)
    assert heartbeat.due_in(104.0) == 6.0
    heartbeat.sent(104.0)
    assert heartbeat.due_in(115.0) == 0.0


def test_long_texts_are_cut_and_say_so() -> None:
    cut = text("x" * 100_000)
    assert len(cut) == 64 * 1024
    assert cut.endswith("truncated: the message is too long.")
    assert text(None) == ""
