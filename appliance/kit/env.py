"""Reads settings from environment variables, or from files that the same variables with `_FILE` appended name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

SECRET = "APPLIANCE_SECRET"  # noqa: S105 - a name
"""The prefix of the variables that hold the secrets of flows."""
BUNDLE_KEY = "APPLIANCE_BUNDLE_KEY"
"""The prefix of the variables with the key of sealed bundles."""
SECRETS_DIR = "APPLIANCE_SECRETS_DIR"
"""The variable that names the folder with secrets of flows: a file for each, with its name."""


def read(environ: Mapping[str, str], prefix: str, names: Iterable[str], *, keep_empty: bool = False) -> dict[str, str]:
    """The values of `PREFIX_NAME`, or the content of the file that `PREFIX_NAME_FILE` names, keyed by lower-case name.

    An empty variable counts as one that isn't set, unless `keep_empty`. Raises ValueError if a variable is set both ways or a file can't be read.
    """
    values: dict[str, str] = {}
    for name in names:
        variable = f"{prefix}_{name.upper()}"
        value, file = environ.get(variable), environ.get(f"{variable}_FILE")
        if not keep_empty:
            value, file = value or None, file or None
        if value is not None and file is not None:
            raise ValueError(f"{variable} and {variable}_FILE are both set; keep one of them.")
        if file is not None:
            try:
                value = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
                raise ValueError(f"{variable}_FILE names a file that can't be read: {why}.") from error
        if value is not None:
            values[name] = value
    return values


def written_as(environ: Mapping[str, str], prefix: str, name: str) -> str | None:
    """The variable that a setting was read from, as it is written there; None if it wasn't read from one."""
    variable = f"{prefix}_{name.upper()}"
    return next((written for written in (variable, f"{variable}_FILE") if environ.get(written)), None)
