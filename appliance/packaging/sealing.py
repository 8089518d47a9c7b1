"""The key with which authors seal bundles and agents open them, an age identity that the server never has. Agents seal results with what they derive
from it.

Who holds it can also say what is in a bundle without showing it: by a hash that is keyed with it, so that equal sources have one name, and nobody
else can tell from the name whether a bundle has content that they guess.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.kit import site_key
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.packaging.storage import LoadError

SETTING = site_key.SETTING
_PURPOSE = b"appliance: the names of sealed bundles, 1"


class KeyMissing(LoadError):
    """There is no key here, or it can't be read."""


class WrongKey(LoadError):
    """A bundle was sealed with another key, or was changed."""


class BundleKey:
    """Seals, opens and names bundles."""

    def __init__(self, identity: str) -> None:
        """Raises KeyMissing if this is no identity of age."""
        try:
            self._identity = _age().x25519.Identity.from_str(identity)
        except _age().IdentityError as error:
            raise KeyMissing(
                f"{SETTING} names a file without a valid key; make one with `appliance bundle key new`."
            ) from error
        self._text = identity
        self._names = site_key.derived(identity, _PURPOSE)

    @property
    def recipient(self) -> str:
        """The public half, as age writes it."""
        return str(self._identity.to_public())

    def name(self, content: bytes) -> str:
        """The keyed hash of some content, as 64 hexadecimal digits."""
        return hmac.new(self._names, content, hashlib.sha256).hexdigest()

    @property
    def results_id(self) -> str:
        """What distinguishes the key that seals results from others."""
        return site_key.results_key_id(self._text)

    def for_results(self, project_id: UUID) -> bytes:
        """The key for the results of a project, from which this one can't be derived."""
        return site_key.results_key(self._text, project_id)

    def seal(self, content: bytes) -> bytes:
        sealed: bytes = _age().encrypt(content, [self._identity.to_public()])
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Raises WrongKey."""
        try:
            content: bytes = _age().decrypt(sealed, [self._identity])
        except _age().DecryptError as error:
            raise WrongKey("the key here does not open it") from error
        return content


def key_of(environ: Mapping[str, str] | None = None) -> BundleKey | None:
    """The key that the environment names, or None. Raises KeyMissing."""
    try:
        identity = site_key.read(environ)
    except ValueError as error:
        raise KeyMissing(str(error)) from error
    return None if identity is None else BundleKey(identity)


def has_key() -> bool:
    """Can bundles be opened here?"""
    try:
        return key_of() is not None
    except (KeyMissing, MissingExtra):
        return False


def required_key() -> BundleKey:
    """The same. Raises KeyMissing if there is none."""
    key = key_of()
    if key is None:
        raise KeyMissing(
            f"The code is sealed, and this agent has no key to open it: set {SETTING} to the site's key file and restart the agent."
        )
    return key


def new_key(path: Path) -> BundleKey:
    """Make a key and write it to a new file that only its owner can read. Raises FileExistsError, or another OSError."""
    identity = _age().x25519.Identity.generate()
    key = BundleKey(str(identity))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"# public key: {key.recipient}\n{identity}\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _age() -> Any:
    if not is_installed("pyrage"):
        raise MissingExtra(f"Sealed bundles need the library pyrage; run: {install('sealing')}")
    return importlib.import_module("pyrage")
