"""Seals values with AES-256-GCM. What a value belongs to is bound to it: in another place, it can't be unsealed."""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING
from uuid import UUID

from appliance.server.errors import DamagedRow

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_DOMAIN = b"appliance secret 1"


def place(project_id: UUID, secret_id: UUID, name: str, version: int) -> bytes:
    """Where a value belongs: all parts have a fixed length, or come last."""
    return b"\0".join((_DOMAIN, project_id.bytes + secret_id.bytes + version.to_bytes(8), name.encode()))


def seal(key: bytes, value: str, where: bytes) -> str:
    """The value as text that only the key and the place turn into the value again."""
    nonce = os.urandom(
        _NONCE_BYTES
    )  # random ones stay distinct for far more values than a site ever seals with one key
    return base64.b64encode(nonce + _cipher(key).encrypt(nonce, value.encode(), where)).decode("ascii")


def unseal(key: bytes, sealed: str, where: bytes) -> str:
    """The value. Raises DamagedRow for anything that this key has not sealed for this place."""
    from cryptography.exceptions import InvalidTag

    try:
        raw = base64.b64decode(sealed, validate=True)
        return _cipher(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], where).decode()
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise DamagedRow(
            "The secret can't be unsealed: its row was changed by something else than the appliance; set it again.",
            fault="not what its key has sealed",
        ) from error


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # not loaded where no secrets are

    return AESGCM(key)
