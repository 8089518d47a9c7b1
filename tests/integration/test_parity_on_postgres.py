"""The parity suite with the states kept by Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.parity_sample import SAMPLE, surround
from tests.conformance.parity_suite import CASES
from tests.conformance.twice import AT_ONCE, Site, opened, untracked
from tests.integration.databases import empty


@pytest.fixture(scope="module")
def site(postgres_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    empty(postgres_database)
    with opened(tmp_path_factory.mktemp("appliance"), postgres_database) as found:
        yield found


@pytest.mark.parametrize(
    "longest_wait", [AT_ONCE, pytest.param(60.0, marks=pytest.mark.full)], ids=["many attempts", "one attempt"]
)
@pytest.mark.parametrize("name", SAMPLE)
def test_a_flow_ends_alike(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, longest_wait: float
) -> None:
    surround(monkeypatch, tmp_path)
    build, restarts = CASES[name]
    tracked = site.tracked(build, tmp_path / "tracked", restarts=restarts, longest_wait=longest_wait)
    assert tracked == untracked(build, tmp_path / "untracked", restarts=restarts)
