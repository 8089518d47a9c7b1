"""The database revisions that this version supports, from the file names of the migrations and without loading the tool that applies them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from appliance.server.errors import NewerSchema

SCRIPTS = Path(__file__).parent / "migrations"


@cache
def supported() -> tuple[str, ...]:
    """The revisions in order; a migration's file name begins with its revision."""
    return tuple(sorted(path.name.split("_", 1)[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py")))


def head() -> str:
    """The newest revision."""
    return supported()[-1]


def require_supported(revision: str | None) -> None:
    """Raise NewerSchema for a revision that this version doesn't support."""
    if revision is not None and revision not in supported():
        raise NewerSchema(
            f"The database was written by a newer version of Appliance (schema {revision}); start that version, or restore a backup."
        )
