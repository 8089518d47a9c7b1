"""Checks of short texts from requests: names, labels and idempotency keys."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.server.domain.sanitize import clean, composed
from appliance.server.errors import Invalid

LONGEST_NAME = 200
LONGEST_LABEL = 100
MOST_LABELS = 50


def required_name(name: str, noun: str) -> str:
    """The name without space around it; Invalid when it is empty, too long or more than one line."""
    name = name.strip()
    if not name:
        raise Invalid(f"The {noun} needs a name; give one that is not empty.")
    if len(name) > LONGEST_NAME:
        raise Invalid(f"The name of the {noun} is too long; use at most {LONGEST_NAME} characters.")
    if not name.isprintable():
        raise Invalid(f"The name of the {noun} contains unprintable characters; use one line of plain text.")
    return clean(name, LONGEST_NAME)


def labels_of(labels: Iterable[str]) -> list[str]:
    """The labels, sorted, each once; Invalid when one of them can't be used."""
    cleaned = sorted({composed(label).strip() for label in labels})
    if len(cleaned) > MOST_LABELS:
        raise Invalid(f"There are too many labels ({len(cleaned)}); use at most {MOST_LABELS}.")
    for label in cleaned:
        if not label or len(label) > LONGEST_LABEL or not label.isprintable():
            raise Invalid(
                f"The label {label[:LONGEST_LABEL]!r} can't be used; write 1 to {LONGEST_LABEL} printable characters."
            )
    return cleaned


def idempotency_key(key: str | None) -> str | None:
    """The key as it is; Invalid when it can't be one."""
    if key is not None and not (0 < len(key) <= LONGEST_NAME and key.isprintable()):
        raise Invalid(f"The idempotency key must be 1 to {LONGEST_NAME} printable characters.")
    return key
