"""Values that GraphQL fetches for many objects at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from appliance.server.graphql.loaders import Batch


def test_what_is_wanted_is_fetched_at_once_and_what_is_missing_once() -> None:
    asked: list[set[int]] = []

    def fetch(keys: Collection[int]) -> Mapping[int, str]:
        asked.append(set(keys))
        return {key: str(key) for key in keys if key != 3}

    batch = Batch(fetch)
    batch.want({1, 2, 3})
    assert [batch.load(key) for key in (1, 2, 3)] == ["1", "2", None]
    assert asked == [{1, 2, 3}]


def test_a_fetch_that_failed_leaves_nothing_that_seems_to_be_missing() -> None:
    def fetch(keys: Collection[int]) -> Mapping[int, str]:
        raise ConnectionError

    batch = Batch(fetch)
    batch.want({1, 2})
    for key in (1, 1, 2):
        with pytest.raises(ConnectionError):
            batch.load(key)
