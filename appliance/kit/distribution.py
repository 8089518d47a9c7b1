"""The name under which this package is published, which is not the name that is imported, and the extras that it can be installed with."""

from __future__ import annotations

from importlib.util import find_spec

from appliance.kit.errors import ApplianceError

DISTRIBUTION = "appliance-flows"
"""The project `appliance` on the public index is somebody else's. The build checks that pyproject.toml has the same."""
_SERVER = ("litestar", "sqlmodel", "strawberry", "uvicorn")


class MissingExtra(ApplianceError, ImportError):
    """A part of the package is used whose libraries aren't installed. The message is one sentence with the command that installs them."""


def install(extra: str) -> str:
    """The command that installs the package with an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def has_server() -> bool:
    """Whether the libraries of the server are installed."""
    return all(map(is_installed, _SERVER))


def require_server() -> None:
    """Raise MissingExtra unless the libraries of the server are installed."""
    if not has_server():
        raise MissingExtra(f"This needs the server, and only the SDK is installed; run: {install('server')}")


def require_extra(what: str, extra: str, *modules: str) -> None:
    """Raise MissingExtra unless the modules of the extra can be imported. `what` starts the sentence. Nothing is imported."""
    if not all(map(is_installed, modules)):
        raise MissingExtra(f"{what} needs libraries that aren't installed here; run: {install(extra)}")


def is_installed(module: str) -> bool:
    """Whether a library can be imported. Finding out loads nothing."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
