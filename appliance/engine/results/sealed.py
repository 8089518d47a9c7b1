"""Results that the server keeps and can't read: sealed with AES-256-GCM under a key of their project, and bound to it and to their location.

The form is a byte with its version, a nonce, and what AES-GCM makes of the content, with its tag at the end.
"""

from __future__ import annotations

import os
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
    """Seals and opens the results of one project."""

    def __init__(self, key: bytes, project_id: UUID) -> None:
        """`key` has 32 bytes. Raises DoorError if the library for it is missing."""
        if not is_installed("cryptography"):
            raise DoorError(f"sealed results need the library cryptography; run: {install('sealing')}")
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # not loaded where nothing is sealed

        self._cipher: AESGCM = AESGCM(key)
        self._project_id = project_id

    def seal(self, location: str, content: bytes) -> bytes:
        """The content as bytes that only this key opens, at this location."""
        nonce = os.urandom(_NONCE_BYTES)  # random ones stay distinct for far more results than a project ever has
        return b"".join((_VERSION, nonce, self._cipher.encrypt(nonce, content, self._place(location))))

    def open(self, location: str, sealed: bytes) -> bytes:
        """The content. Raises NoKey for anything that this key has not sealed for this location."""
        from cryptography.exceptions import InvalidTag

        view = memoryview(sealed)
        if len(view) >= OVERHEAD and view[:1] != _VERSION:
            raise NoKey("it is sealed in a way that this release does not know; upgrade appliance-flows")
        try:
            if len(view) < OVERHEAD:
                raise InvalidTag
            return self._cipher.decrypt(bytes(view[1:13]), view[13:], self._place(location))
        except InvalidTag:
            raise NoKey(
                f"it was sealed with another key than the one in {SETTING}, or for another location, or was changed; "
                "give the agent the key with which it was sealed, or delete the result"
            ) from None

    def _place(self, location: str) -> bytes:
        """All parts but the last have a fixed length."""
        return b"\0".join((_DOMAIN, self._project_id.bytes, location.encode()))


def key_here(project_id: UUID) -> ResultKey | None:
    """The key for the results of a project, from the setting of this process; None without one. Raises DoorError."""
    try:
        identity = site_key.read()
    except ValueError as error:
        raise DoorError(str(error)) from None
    return None if identity is None else ResultKey(site_key.results_key(identity, project_id), project_id)
