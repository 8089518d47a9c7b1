"""Schedules in words as lists show them: the time zone stands in a field of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.schedules import texts as schedule_texts


def describe(document: Mapping[str, Any]) -> str:
    """A schedule's document in words, without its time zone."""
    return schedule_texts.describe(document, with_zone=False)
