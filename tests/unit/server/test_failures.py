"""Which failures have the same cause, and until when a failure is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from appliance.server.domain.failures import Failure, failure_of, fingerprint, is_known_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_numbers_ids_and_addresses_make_no_difference() -> None:
    said = "KeyError: 01a232e5-d2c9-7027-a2ec-550be7a9c155 at 0x7f3a in row 12"
    assert fingerprint(said) == "keyerror: # at # in row #" == fingerprint(said.replace("12", "7,813").replace(",", ""))
    assert fingerprint("OSError: disk quota") != fingerprint("OSError: disk full")
    child = "Run {} of flow 'load' (/runs/0198f0c2-8d3a-7c11-9d43-0a4f5e6b7c8d) failed: out of paper"
    assert (
        fingerprint(child.format("calm-otter"))
        == fingerprint(child.format("my run"))
        != fingerprint("Run calm-otter of flow x")
    )


@pytest.mark.parametrize("message", ["x" * 5_000, "İ" * 200, "1 " * 300])
def test_it_fits_its_column(message: str) -> None:
    assert len(fingerprint(message)) <= 200


def test_a_run_fails_because_of_a_task_or_by_itself() -> None:
    task = SimpleNamespace(task_slug="load-1", state_message="disk full")
    assert failure_of("Task load-1 failed", task) == Failure("load-1", "disk full")
    assert (
        failure_of("Task load-1 failed", SimpleNamespace(task_slug="load-1", state_message="")).message
        == "Task load-1 failed"
    )
    assert failure_of("Killed by signal 9", None) == Failure("", "Killed by signal 9")


def test_it_is_known_until_its_time_has_come() -> None:
    second = timedelta(seconds=1)
    assert [is_known_at(until, NOW) for until in (None, NOW + second, NOW, NOW - second)] == [True, True, False, False]
