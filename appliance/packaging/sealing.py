"""The keys with which authors seal bundles and agents open them, age identities that the server never has. Agents seal results with what they derive
from them. The first seals, and all open.

Who holds it can also say what is in a bundle without showing it: by a hash that is keyed with it, so that equal sources have one name, and nobody
else can tell from the name whether a bundle has content that they guess.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.kit import site_key
from appliance.kit.distribution import MissingExtra, install, is_installed
from appliance.packaging.storage import LoadError

SETTING = site_key.SETTING
_PURPOSE = b"appliance: the names of sealed bundles, 1"
_NO_KEY = f"{SETTING} names a file without a valid key; make one with `appliance bundle key new`."


class KeyMissing(LoadError):
    """There is no key here, or it can't be read."""


class WrongKey(LoadError):
    """A bundle was sealed with another key, or was changed."""


class BundleKey:
    """Seals and names bundles with the first of the site's keys, and opens those of all."""

    def __init__(self, *identities: str) -> None:
        """Raises KeyMissing if one is no identity of age, or there is none."""
        try:
            self._identities = [_age().x25519.Identity.from_str(identity) for identity in identities]
        except _age().IdentityError as error:
            raise KeyMissing(_NO_KEY) from error
        if not identities:
            raise KeyMissing(_NO_KEY)
        self._texts = identities
        self._naming = [site_key.derived(identity, _PURPOSE) for identity in identities]

    @property
    def recipient(self) -> str:
        """The public half of the first, as age writes it."""
        return str(self._identities[0].to_public())

    def name(self, content: bytes) -> str:
        """The keyed hash of some content, as 64 hexadecimal digits."""
        return self._names(content)[0]

    def has_named(self, name: str, content: bytes) -> bool:
        """Whether this is the keyed hash of some content with any of the keys."""
        return any(hmac.compare_digest(name, own) for own in self._names(content))

    @property
    def ids(self) -> list[str]:
        """What distinguishes each key from others; the first is that of the key that seals."""
        return list(map(site_key.key_id, self._texts))

    def for_results(self, project_id: UUID) -> list[bytes]:
        """The keys for the results of a project, from which these can't be derived."""
        return [site_key.results_key(identity, project_id) for identity in self._texts]

    def _names(self, content: bytes) -> list[str]:
        return [hmac.new(key, content, hashlib.sha256).hexdigest() for key in self._naming]

    def seal(self, content: bytes) -> bytes:
        sealed: bytes = _age().encrypt(content, [self._identities[0].to_public()])
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Raises WrongKey."""
        try:
            content: bytes = _age().decrypt(sealed, self._identities)
        except _age().DecryptError as error:
            raise WrongKey("no key here opens it") from error
        return content


def key_of(environ: Mapping[str, str] | None = None) -> BundleKey | None:
    """The key that the environment names, or None. Raises KeyMissing."""
    try:
        identities = site_key.read(environ)
    except ValueError as error:
        raise KeyMissing(str(error)) from error
    return None if identities is None else BundleKey(*identities)


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
    identity = str(_age().x25519.Identity.generate())
    _write(path, [identity])
    return BundleKey(identity)


@dataclass(frozen=True)
class KeyInFile:
    """A key of a file, without what opens anything. `seals`: it is the first."""

    id: str
    recipient: str
    seals: bool


def keys_in(path: Path) -> list[KeyInFile]:
    """Those in a key file, in its order. Raises KeyMissing if it has none, or OSError."""
    keys = [BundleKey(identity) for identity in _read(path)]
    return [KeyInFile(key.ids[0], key.recipient, number == 0) for number, key in enumerate(keys)]


def add_key(path: Path) -> None:
    """Make a key and put it last in a key file, where it opens and does not seal yet. Raises KeyMissing or OSError."""
    _rewrite(path, [*_read(path), str(_age().x25519.Identity.generate())])


def switch_key(path: Path) -> None:
    """Put the last key of a file first, so that it seals. Raises KeyMissing or OSError."""
    *others, newest = _read(path)
    _rewrite(path, [newest, *others])


def remove_key(path: Path, id: str) -> None:
    """Take a key out of a file. Raises KeyMissing if the file does not have it, or it is the one that seals, or OSError."""
    identities = _read(path)
    left = [identity for identity in identities if site_key.key_id(identity) != id]
    if left == identities:
        raise KeyMissing(f"The file has no key {id}; `appliance bundle key list {path.name}` lists those that it has.")
    if left[:1] != identities[:1]:
        raise KeyMissing(
            f"Key {id} is the one that seals; make another the first with `appliance bundle key switch {path.name}`."
        )
    _rewrite(path, left)


def _read(path: Path) -> list[str]:
    identities = site_key.identities(path.read_text(encoding="utf-8"))
    BundleKey(*identities)
    return identities


def _rewrite(path: Path, identities: Sequence[str]) -> None:
    """Replace a key file at once, with the permissions that it has."""
    path = path.resolve()
    known, draft = path.stat(), path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(draft, identities)
        if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, known.st_uid, known.st_gid)
        draft.chmod(known.st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, identities: Sequence[str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        for identity in identities:
            file.write(f"# key {site_key.key_id(identity)}, public key: {BundleKey(identity).recipient}\n{identity}\n")
        file.flush()
        os.fsync(file.fileno())


def _age() -> Any:
    if not is_installed("pyrage"):
        raise MissingExtra(f"Sealed bundles need the library pyrage; run: {install('sealing')}")
    return importlib.import_module("pyrage")
