"""Which times of a schedule count. To import from, as in `from appliance.filters import ...`."""

from appliance.schedules.filters import (
    Filter,
    at_time,
    between_dates,
    between_datetimes,
    between_times,
    is_day_of_week,
    is_month_end,
    is_month_start,
    is_weekday,
    is_weekend,
    on_date,
    on_datetime,
)

__all__ = [
    "Filter",
    "at_time",
    "between_dates",
    "between_datetimes",
    "between_times",
    "is_day_of_week",
    "is_month_end",
    "is_month_start",
    "is_weekday",
    "is_weekend",
    "on_date",
    "on_datetime",
]
