"""Clients of a later release are told so; everybody else is none of the server's business."""

from __future__ import annotations

import pytest

from appliance.kit.version import VERSION
from appliance.server.domain.releases import refusal


@pytest.mark.parametrize("newer", ["99", "99.0", f"{VERSION}.1", "0.10.0"])
def test_a_later_release_is_refused_with_both_in_the_sentence(newer: str) -> None:
    sentence = refusal(f"appliance/{newer}")
    assert newer in sentence and VERSION in sentence and "upgrade the server first" in sentence


@pytest.mark.parametrize(
    "other", ["", f"appliance/{VERSION}", "appliance/0.0.9", "appliance/next", "Mozilla/99.0", "appliance/99.0 (x)"]
)
def test_others_are_not(other: str) -> None:
    assert refusal(other) == ""
