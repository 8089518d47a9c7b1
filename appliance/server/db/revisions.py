"""Which forms of the database this version knows: told by the files of the migrations, without loading the tool that applies them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from appliance.server.errors import NewerSchema

SCRIPTS = Path(__file__).parent / "migrations"


@cache
def known() -> tuple[str, ...]:
    """The revisions in order; a migration's file name begins with its revision."""
    return tuple(sorted(path.name.split("_", 1)[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py")))


def head() -> str:
    """The newest revision."""
    return known()[-1]


def require_known(revision: str | None) -> None:
    """Raise NewerSchema for a revision that this version has never heard of."""
    if revision is not None and revision not in known():
        raise NewerSchema(
            f"The database was written by a newer version of Appliance (schema {revision}); start that version, or restore a backup."
        )
