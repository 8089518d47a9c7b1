"""Reads the filter for runs from the query parameters of a route."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from appliance.kit import clock, suggestions
from appliance.protocol import filter_texts
from appliance.protocol.run_filter import LIST_ORDERS, NEWEST_FIRST, ListOrder
from appliance.server.domain.bounds import check_time
from appliance.server.errors import Invalid, UnknownName

T = TypeVar("T")


def conditions(
    since: str | None,
    until: str | None,
    longer_than: str | None,
    shorter_than: str | None,
    parameters: list[str] | None,
) -> dict[str, Any]:
    """The fields of the filter that are written as texts. Raises Invalid."""
    now = clock.now()
    return {
        "since": time("since", since, now),
        "until": time("until", until, now),
        "longer_than": _read("longer_than", longer_than, filter_texts.seconds),
        "shorter_than": _read("shorter_than", shorter_than, filter_texts.seconds),
        "parameters": _parameters(parameters or ()),
    }


def time(name: str, text: str | None, now: datetime | None = None) -> datetime | None:
    """A time, or a length of time before now. Raises Invalid."""
    moment = _read(name, text, lambda text: filter_texts.moment(text, now or clock.now()))
    if moment is not None:
        check_time(moment, name)
    return moment


def sort_of(text: str | None) -> ListOrder:
    """The order of a list of runs. Raises UnknownName."""
    for sort in LIST_ORDERS:
        if text in (sort, None):
            return NEWEST_FIRST if text is None else sort
    hint = suggestions.hint(str(text)[:80], LIST_ORDERS, "sort by")
    raise UnknownName(f"Runs can't be sorted by {str(text)[:80]!r}; {hint}")


def _parameters(texts: Iterable[str]) -> dict[str, Any]:
    pairs = [_read("parameter", text, filter_texts.parameter) or ("", None) for text in texts]
    if (twice := filter_texts.twice(pairs)) is not None:
        raise Invalid(
            f"The filter has two values of parameter {twice[:80]!r}, or the same one twice; a run has only one."
        )
    return dict(pairs)


def _read(name: str, text: str | None, reader: Callable[[str], T]) -> T | None:
    if text is None:
        return None
    try:
        return reader(text)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"The parameter {name} is not valid: {error}.") from error
