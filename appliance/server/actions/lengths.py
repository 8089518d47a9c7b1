"""The end of something that a request limits, as a time or as a length. A length stays the same when the request is repeated, so that it
can have the same idempotency key."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.server.errors import Invalid

LONGEST = timedelta(weeks=99_999)


def end_of(now: datetime, at: datetime | None, seconds: float | None, fields: tuple[str, str]) -> datetime | None:
    """When it ends; None for never. `fields` are the names of the two fields. Raises Invalid."""
    time_field, length_field = fields
    if at is not None and seconds is not None:
        raise Invalid(f"The fields {time_field} and {length_field} exclude each other; send one of them.")
    if seconds is None:
        return at
    if not 0 < seconds <= LONGEST.total_seconds():
        raise Invalid(
            f"The field {length_field} is a number of seconds, more than 0 and at most {LONGEST.total_seconds():.0f}."
        )
    return now + timedelta(seconds=seconds)
