"""Every error code that a server can answer stands in docs/pages/errors.md, with its status, its meaning, and what to do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

import appliance.server
from appliance.client import errors as client_errors
from appliance.server.api import answers
from appliance.server.errors import ServerError
from appliance.server.graphql import endpoint

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "pages" / "errors.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$", re.M)
FAULT = {"internal": 500}

E = TypeVar("E", bound=Exception)


def descendants(root: type[E]) -> Iterator[type[E]]:
    """The class and everything derived from it, at any depth."""
    yield root
    for child in root.__subclasses__():
        yield from descendants(child)


def tree_codes() -> dict[str, int]:
    """Codes with their status, after importing every module in which a class might be derived."""
    for module in pkgutil.walk_packages(appliance.server.__path__, "appliance.server."):
        if ".migrations" not in module.name:  # Alembic runs those; importing one would start a migration
            importlib.import_module(module.name)
    return {error.code: error.status for error in descendants(ServerError)}


def framework_codes() -> dict[str, int]:
    """Codes of refusals that the web framework makes before any of our code runs."""
    return {code: status for status, (code, _sentence) in answers._OF_STATUS.items()}


def graphql_codes() -> dict[str, int]:
    """Codes that GraphQL adds itself, for refused documents and for faults."""
    codes = re.findall(r'"code": "([a-z_]+)"', inspect.getsource(endpoint))
    return {code: (framework_codes() | FAULT)[code] for code in codes}


def problems(codes: Mapping[str, int], page: str) -> list[str]:
    """What is missing from the table, wrong in it, or left over in it."""
    rows = {code: int(status) for code, status, _meaning, _remedy in ROW.findall(page)}
    missing = [f"{code} has no row" for code in codes if code not in rows]
    wrong = [
        f"{code} has status {codes[code]}, not {rows[code]}"
        for code in codes
        if rows.get(code, codes[code]) != codes[code]
    ]
    return missing + wrong + [f"{code} exists no longer" for code in rows if code not in codes]


def all_codes() -> dict[str, int]:
    return tree_codes() | framework_codes() | graphql_codes() | FAULT


def test_every_code_is_documented_with_what_to_do() -> None:
    assert {"stale_attempt", "lost_lease", "newer_schema", "too_large", "internal"} <= all_codes().keys()
    assert not problems(all_codes(), PAGE.read_text())


def test_graphql_refuses_documents_with_a_known_code() -> None:
    assert "invalid" in graphql_codes()


@pytest.mark.parametrize("code", ["sequence_gap", "disk_full", "too_large"])
def test_a_missing_row_is_reported(code: str) -> None:
    page = re.sub(rf"^\| `{code}` .*\n", "", PAGE.read_text(), flags=re.M)
    assert problems(all_codes(), page) == [f"{code} has no row"]


def test_a_row_without_what_to_do_is_reported() -> None:
    page = re.sub(r"^(\| `contended` \| 503 \| [^|]+ \|) [^|]+ \|$", r"\1 |", PAGE.read_text(), flags=re.M)
    assert problems(all_codes(), page) == ["contended has no row"]


def test_a_wrong_status_and_a_row_left_over_are_reported() -> None:
    page = (
        PAGE.read_text()
        .replace("| `conflict` | 409 |", "| `conflict` | 400 |")
        .replace("`disk_full`", "`disk_is_full`")
    )
    assert problems(all_codes(), page) == [
        "disk_full has no row",
        "conflict has status 409, not 400",
        "disk_is_full exists no longer",
    ]


def test_every_class_of_the_sdk_is_documented() -> None:
    page = PAGE.read_text()
    names = [error.__name__ for error in descendants(client_errors.ClientError)]
    assert len(names) > 10
    assert not [name for name in names if f"`{name}`" not in page]
