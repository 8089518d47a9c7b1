"""The keys that seal secrets: a file outside the database, so that a copy of the database gives no secret away.

The file is read whenever a key is needed: that is seldom, the keys then lie nowhere in memory for long, and what another process has added
is known at once. It changes as a whole. The first secret of a site creates it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from appliance.server.auth.sealing import KEY_BYTES
from appliance.server.errors import NoSecretKey

NAME = "secrets.key"
WHERE = f"the file that APPLIANCE_SECRETS_KEY_FILE names, or else {NAME} in the data directory"


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    key: bytes

    def __repr__(self) -> str:
        return f"_Key({self.id!r})"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[_Key]


class SecretKeys:
    """The keys in the file at `path`, the newest last. All raise NoSecretKey when the file can't be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> list[str]:
        """The ids of all keys."""
        return [one.id for one in self._read()]

    def get(self, key_id: str) -> bytes:
        """The key with this id."""
        for one in self._read():
            if one.id == key_id:
                return one.key
        raise NoSecretKey(
            f"Secrets are sealed with key {key_id}, which isn't here; put {WHERE}, back in its place, or copy it from another host of the site. "
            "If the key is lost, run `appliance admin secrets-key rotate --delete-lost`, and set the secrets again."
        )

    def newest(self) -> str:
        """The id of the newest key, created if there is none."""
        known = self.ids()
        if known:
            return known[-1]
        with self._changing():
            keys = self._read() or [_new_key()]  # another process may just have created it
            self._write(keys)
            return keys[-1].id

    def add(self) -> str:
        """Add a key and return its id."""
        key = _new_key()
        with self._changing():
            self._write([*self._read(), key])
        return key.id

    def drop_before(self, key_id: str, needed: Collection[str]) -> list[str]:
        """Remove the keys that are older than this one and not needed, and return their ids."""
        with self._changing():
            known = self._read()
            older = [one.id for one in known].index(key_id)
            gone = [one.id for one in known[:older] if one.id not in needed]
            if gone:
                self._write([one for one in known if one.id not in gone])
            return gone

    def _read(self) -> list[_Key]:
        try:
            keys = msgspec.json.decode(self.path.read_bytes(), type=_File).keys
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(str(error.strerror).lower()) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _unusable("it doesn't hold what the appliance has written") from error
        if any(one.id != _id_of(one.key) for one in keys):
            raise _unusable("a key in it is damaged")
        return keys

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time changes the file; others read it as it was or as it will be."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _unusable(f"it can't be written: {str(error.strerror).lower()}") from error

    def _write(self, keys: list[_Key]) -> None:
        """Put a whole file in place, readable for its owner alone."""
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.unlink(missing_ok=True)  # of a process that was killed
        _write_whole(draft, msgspec.json.encode(_File(keys)))
        _keep_owner(self.path, draft)
        draft.replace(self.path)


def _new_key() -> _Key:
    key = os.urandom(KEY_BYTES)
    return _Key(_id_of(key), key)


def _id_of(key: bytes) -> str:
    """The id says nothing about the key, but a damaged key doesn't fit it."""
    return hashlib.sha256(b"appliance secret key\0" + key).hexdigest()[:16]


def _write_whole(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _keep_owner(old: Path, draft: Path) -> None:
    """What root writes belongs to whom the file, or else its folder, belongs: the server must be able to read it."""
    if os.geteuid() == 0:
        status = (old if old.exists() else old.parent).stat()
        os.chown(draft, status.st_uid, status.st_gid)


def _unusable(reason: str) -> NoSecretKey:
    return NoSecretKey(f"The keys of secrets can't be used ({reason}); see to {WHERE}.")
