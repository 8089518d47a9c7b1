"""GraphQL is loaded after the server has started: once, by whoever needs it first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from appliance.server.graphql import schema
from appliance.server.graphql.handler import Later


def test_requests_at_the_start_wait_for_one_endpoint() -> None:
    later, together = Later(introspection=True), Barrier(4)

    def get(_number: int) -> object:
        together.wait(10)
        return later.get()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(get, range(4)))) == 1


def test_a_schema_that_cannot_be_built_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def build() -> None:
        raise RuntimeError("Query.runs declares no permission")

    later = Later(introspection=True)
    monkeypatch.setattr(schema, "build", build)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            later.get()
