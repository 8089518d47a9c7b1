"""The run configs of containers: which of their values are well formed. What an agent permits of them is its administrator's decision."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_LISTED = 50
MOST_TEMPLATE = 65_536
"""Bytes of a job template."""
MOST_PIDS = 4_194_304
"""More than any kernel allows."""
PULLS = ("missing", "always", "never")
POLICIES = ("Always", "IfNotPresent", "Never")
LEAST_CPUS = 0.01
"""Of a container. Engines take less for no limit, or refuse it."""
_LEAST_MEMORY = 6 * 1024**2

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?"
IMAGE_AND_TAG = rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}"
_IMAGE = re.compile(rf"(?:{IMAGE_AND_TAG}|(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?:@[a-z0-9]+:[0-9a-f]{{2,128}})?")
_LONGEST_IMAGE = 500
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,252}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_BYTES = re.compile(r"\d{1,15}(\.\d{1,6})?[bkmg]?", re.IGNORECASE)
_QUANTITY = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,9})?)(?P<unit>m|k|[KMGTPE]i?)?")
_VOLUME = re.compile(r"(?P<source>/[^:\0]*|[A-Za-z0-9][\w.-]*):(?P<target>/[^:\0]*)(:(ro|rw))?", re.ASCII)


def image_problem(image: str) -> str:
    """Why this can't be the name of an image, in a sentence; empty if it can."""
    if len(image) <= _LONGEST_IMAGE and _IMAGE.fullmatch(image):
        return ""
    return f"image {image[:100]!r} is not the name of an image; write it as in registry/name:tag."


def volume_problem(volumes: Iterable[str]) -> str:
    """The same of volumes, each SOURCE:TARGET or SOURCE:TARGET:ro."""
    for volume in volumes:
        match = _VOLUME.fullmatch(volume)
        if match is None or ".." in volume.split(":")[0].split("/") or ".." in match["target"].split("/"):
            return f"volume {volume[:100]!r} is not valid; write a volume or an absolute path, then an absolute path, as in /data:/data:ro."
    return ""


def name_problem(option: str, names: Iterable[str]) -> str:
    """The same of names of networks and the like."""
    return _first(
        option, names, _NAME, "a name has letters, digits, '_', '.' and '-', and begins with a letter or digit."
    )


def label_problem(option: str, names: Iterable[str]) -> str:
    """The same of namespaces."""
    return _first(option, names, _LABEL, "use at most 63 lower-case letters, digits and '-'.")


def object_problem(option: str, names: Iterable[str]) -> str:
    """The same of other objects in Kubernetes."""
    return _first(option, names, _SUBDOMAIN, "use lower-case letters, digits, '-' and '.'.")


def memory_problem(amount: str) -> str:
    """The same of an amount of memory, as Docker writes it. 0 would be no limit."""
    problem = _first("memory", [amount], _BYTES, 'write a number and b, k, m or g, as in "512m".')
    if problem or memory_in(amount) >= _LEAST_MEMORY:
        return problem
    return f"memory {amount!r} is not valid; a container needs 6m or more."


def memory_in(amount: str) -> int:
    """The bytes in an amount of memory that was checked, as Docker writes it."""
    number, unit = amount.rstrip("bkmgBKMG"), amount[-1].lower()
    return int(float(number) * 1024 ** max(0, "bkmg".find(unit)))


def quantity_problem(option: str, amount: str) -> str:
    """The same of a quantity, as Kubernetes writes it. A limit of 0 would be none."""
    problem = _first(option, [amount], _QUANTITY, 'write a number and a unit, as in "500m" or "2Gi".')
    if problem or not option.endswith("_limit") or amount.strip("0.mkMGTPEi"):
        return problem
    return f"{option} {amount!r} is no limit; leave it out, or write how much a run gets."


def bytes_in(amount: str) -> int | None:
    """The bytes in a quantity, as Kubernetes writes it; None if it is not an amount of bytes."""
    match = _QUANTITY.fullmatch(amount)
    if match is None or match["unit"] == "m":
        return None
    unit = match["unit"] or ""
    power = "KMGTPE".index(unit[0].upper()) + 1 if unit else 0
    whole, _, fraction = match["number"].partition(".")
    amount_in_bytes: int = (
        int(whole + fraction) * (1024 if unit.endswith("i") else 1000) ** power // 10 ** len(fraction)
    )
    return amount_in_bytes


def cores_in(amount: str) -> float | None:
    """The cores in a quantity, as Kubernetes writes it; None if it is not an amount of cores."""
    match = _QUANTITY.fullmatch(amount)
    if match is None or match["unit"] not in (None, "m"):
        return None
    return float(match["number"]) / (1000 if match["unit"] else 1)


def choice_problem(option: str, value: str, choices: tuple[str, ...]) -> str:
    """The same of one of several words."""
    return "" if value in choices else f"{option} {value[:100]!r} is not valid; use one of {', '.join(choices)}."


def _first(option: str, values: Iterable[str], form: re.Pattern[str], advice: str) -> str:
    wrong = next((value for value in values if not form.fullmatch(value)), None)
    return "" if wrong is None else f"{option} {wrong[:100]!r} is not valid; {advice}"
