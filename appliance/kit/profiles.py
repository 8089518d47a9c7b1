"""The profiles that `appliance login` keeps: servers with a token each, in one file that only its user can read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

_FILE = Path("appliance") / "profiles.json"


class ProfileError(ValueError):
    """The file of profiles can't be used. The message says what to do."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A server and the token for it."""

    url: str
    token: str


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """All profiles by name, and the name of the one in use."""

    current: str | None = None
    profiles: dict[str, Profile] = {}

    @property
    def in_use(self) -> Profile | None:
        return None if self.current is None else self.profiles.get(self.current)

    def using(self, name: str, profile: Profile) -> Profiles:
        """With this profile, which is in use."""
        return Profiles(current=name, profiles={**self.profiles, name: profile})

    def without(self, name: str) -> Profiles:
        """Without this profile; none is in use if it was."""
        kept = {one: profile for one, profile in self.profiles.items() if one != name}
        return Profiles(current=None if self.current == name else self.current, profiles=kept)


def place(environ: Mapping[str, str]) -> Path | None:
    """The file, in the folder for settings of the user; None if the environment names no such folder."""
    if sys.platform == "win32":
        return Path(environ["APPDATA"]) / _FILE if environ.get("APPDATA") else None
    folder = environ.get("XDG_CONFIG_HOME", "")
    if folder.startswith("/"):
        return Path(folder) / _FILE
    return Path(environ["HOME"]) / ".config" / _FILE if environ.get("HOME") else None


def load(environ: Mapping[str, str]) -> Profiles:
    """All profiles. Raises ProfileError."""
    path = place(environ)
    if path is None:
        return Profiles()
    try:
        with path.open("rb") as file:
            if sys.platform != "win32" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ProfileError(f"{path} holds tokens and others can read it; run: chmod 600 {path}")
            return msgspec.json.decode(file.read(), type=Profiles)
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise ProfileError(f"{path} can't be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is damaged; delete it and run `appliance login` again.") from error


def save(environ: Mapping[str, str], profiles: Profiles) -> Path:
    """Replace the file as a whole; it is never readable by others. Raises ProfileError."""
    path = place(environ)
    if path is None:
        raise ProfileError("There is no folder for settings; set HOME or XDG_CONFIG_HOME.")
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(profiles), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ProfileError(f"{path} can't be written: {error.strerror}.") from error
    return path
