"""Times as SQLite keeps them: text of a UTC time with microseconds, which sorts as the times do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from appliance.server.db.tables.columns import Time
from appliance.server.domain.bounds import EARLIEST

_as_text = Time().bind_processor(sqlite.dialect())  # type: ignore[no-untyped-call]
_BERLIN = ZoneInfo("Europe/Berlin")


@settings(deadline=None)
@given(
    st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000)), st.sampled_from([UTC, _BERLIN]), st.booleans()
)
def test_text_is_that_of_the_time_in_utc(since: timedelta, zone: tzinfo, whole: bool) -> None:
    value = (EARLIEST + since).astimezone(zone)
    value = value.replace(microsecond=0) if whole else value
    assert _as_text(value) == value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def test_both_passes_of_a_repeated_hour_are_kept_apart() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=_BERLIN)
    second = first.replace(fold=1)
    assert first == second  # so a cache would take one for the other
    assert (_as_text(first), _as_text(second)) == ("2026-10-25 00:30:00.000000", "2026-10-25 01:30:00.000000")


def test_no_time_stays_none_and_a_time_without_a_zone_is_refused() -> None:
    assert _as_text(None) is None
    with pytest.raises(ValueError, match="without a zone"):
        _as_text(EARLIEST.replace(tzinfo=None))
