"""Results that the server keeps and can't read: sealed with AES-256-GCM under a key of their project, and bound to it and to their location.

The form is a byte with its version, a nonce, and what AES-GCM makes of the content, with its tag at the end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from appliance.engine.results.doors import DoorError
from appliance.kit import site_key
from appliance.kit.distribution import install, is_installed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
OVERHEAD = len(_VERSION) + _NONCE_BYTES + _TAG_BYTES
"""How many bytes sealing adds."""
_DOMAIN = b"appliance result 1"
SETTING = site_key.SETTING


class NoKey(DoorError):
    """What is sealed can't be opened here: there is no key, or another one."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or f"it is sealed, and there is no key here to open it; set {SETTING} to the site's key file, for the agent that starts the run"
        )


class ResultKey:
    """Seals the results of one project with the first of its keys, and opens those of all."""

    def __init__(self, keys: Sequence[bytes], project_id: UUID, id: str = "") -> None:
        """Each key has 32 bytes; `id` is what others call the first. Raises DoorError if the library for them is missing."""
        if not is_installed("cryptography"):
            raise DoorError(f"sealed results need the library cryptography; run: {install('sealing')}")
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # not loaded where nothing is sealed

        self.id = id
        self._ciphers: list[AESGCM] = list(map(AESGCM, keys))
        self._project_id = project_id

    def seal(self, location: str, content: bytes) -> bytes:
        """The content as bytes that only the first key opens, at this location."""
        nonce = os.urandom(_NONCE_BYTES)  # random ones stay distinct for far more results than a project ever has
        return b"".join((_VERSION, nonce, self._ciphers[0].encrypt(nonce, content, self._place(location))))

    def open(self, location: str, sealed: bytes) -> bytes:
        """The content. Raises NoKey for anything that none of the keys has sealed for this location."""
        from cryptography.exceptions import InvalidTag

        view = memoryview(sealed)
        if len(view) >= OVERHEAD and view[:1] != _VERSION:
            raise NoKey("it is sealed in a way that this release does not know; upgrade appliance-flows")
        for cipher in self._ciphers if len(view) >= OVERHEAD else ():
            with suppress(InvalidTag):
                return cipher.decrypt(bytes(view[1:13]), view[13:], self._place(location))
        raise NoKey(
            f"it was sealed with a key that is not in {SETTING}, or for another location, or was changed; "
            "give the agent the key with which it was sealed, or delete the result"
        )

    def _place(self, location: str) -> bytes:
        """All parts but the last have a fixed length."""
        return b"\0".join((_DOMAIN, self._project_id.bytes, location.encode()))


def key_here(project_id: UUID) -> ResultKey | None:
    """The key for the results of a project, from the setting of this process; None without one. Raises DoorError."""
    try:
        identities = site_key.read()
    except ValueError as error:
        raise DoorError(str(error)) from None
    if identities is None:
        return None
    return ResultKey([site_key.results_key(identity, project_id) for identity in identities], project_id)
