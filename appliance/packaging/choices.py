"""How a project's file names the storage of its flows: by a name, or by a table with the options of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, signature
from typing import Any

from appliance.kit.option_names import refuse_unknown
from appliance.packaging.bundle import Bundle
from appliance.packaging.docker import Docker
from appliance.packaging.git import Git
from appliance.packaging.http import Http
from appliance.packaging.module import Module
from appliance.packaging.object_stores import ObjectStore
from appliance.packaging.sftp import Sftp
from appliance.packaging.site_store import Local

CHOICES: Mapping[str, Callable[..., Any]] = {
    "bundle": Bundle,
    "local": Local,
    "shared": partial(Local, shared=True),
    "module": Module,
    "git": Git,
    "object_store": ObjectStore,
    "sftp": Sftp,
    "http": Http,
    "docker": Docker,
}
_EXAMPLE = '{ type = "git", url = "https://host/path" }'


def chosen(said: Any) -> Any:
    """The storage in the value of `storage`: its name, or a table with its `type` and its options. Raises TypeError or ValueError."""
    table = {"type": said} if isinstance(said, str) else said
    if not isinstance(table, dict):
        raise TypeError(f"storage must be a name or a table, such as {_EXAMPLE}.")
    name = table.get("type")
    kind = CHOICES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise TypeError(
            f"storage must be {', '.join(map(repr, CHOICES))}, or a table such as {_EXAMPLE}, not {name!r}."
        )
    options = {key: value for key, value in table.items() if key != "type"}
    known = signature(kind).parameters
    refuse_unknown("storage", options, tuple(known))
    for option, parameter in known.items():
        if parameter.default is Parameter.empty and option not in options:
            raise TypeError(f"storage {name!r} needs {option}, as in {_EXAMPLE}.")
    return kind(**options)
