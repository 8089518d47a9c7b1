"""Some of the parity suite with the states kept by Postgres."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.parity_suite import CASES
from tests.conformance.twice import opened, untracked
from tests.integration.conftest import empty


@pytest.mark.parametrize(
    "name", ["mapped_retries", "mapped_pauses", "a_mapped_restart", "a_pause_with_an_end", "two_restarts"]
)
def test_a_flow_ends_alike(postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("APPLIANCE_RESULTS_URL", (tmp_path / "results").as_uri())
    empty(postgres_database)
    build, restarts = CASES[name]
    with opened(tmp_path, postgres_database) as site:
        tracked = site.tracked(build, tmp_path / "tracked", restarts=restarts)
    assert tracked == untracked(build, tmp_path / "untracked", restarts=restarts)
