"""GraphQL writes times as everything else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from appliance.kit import clock
from appliance.server.graphql.scalars import _text_of, texts_of

_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))) | st.just(UTC)


_times = st.datetimes(timezones=_zones).filter(lambda time: 1 < time.year < 9999)


@given(_times)
def test_they_are_alike(time: datetime) -> None:
    assert _text_of(time) == clock.isoformat(time)
    assert _text_of(time.replace(microsecond=0)) == clock.isoformat(time.replace(microsecond=0))


@given(st.lists(_times))
def test_many_are_as_one(times: list[datetime]) -> None:
    times += [time.replace(microsecond=0) for time in times]
    assert texts_of(times) == [_text_of(time) for time in times]
