"""Hashing and checking passwords: argon2id, with the same work whether or not the user exists."""

from __future__ import annotations

import hmac
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.server.errors import Invalid

MIN_LENGTH = 12
MAX_BYTES = 1024

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_strength(password: str, username: str) -> None:
    """Raise Invalid for a password that is too short, too long or easy to guess."""
    if len(password) < MIN_LENGTH:
        raise Invalid(f"The password is too short; use at least {MIN_LENGTH} characters.")
    if len(_bytes(password)) > MAX_BYTES:
        raise Invalid(f"The password is too long; use at most {MAX_BYTES} bytes.")
    if len(set(password)) < 4 or (username and username.lower() in password.lower()):
        raise Invalid("The password is too easy to guess; don't repeat one character or use the user's name in it.")


def are_same(one: str, other: str) -> bool:
    """Whether two passwords are the same, in whatever Unicode form they are typed."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def hash_password(password: str) -> str:
    """The argon2id hash with its parameters, ready to store."""
    return _hasher.hash(_bytes(password))


def verify(stored: str | None, password: str) -> bool:
    """Whether the password matches the stored hash. Without one (no such user), do the same work and return False."""
    data = _bytes(password)
    if len(data) > MAX_BYTES:
        return False
    try:
        return _hasher.verify(stored or _decoy(), data) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    try:
        return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError as error:
        raise Invalid("The password contains a character that can't be stored.") from error


@cache
def _decoy() -> str:
    return _hasher.hash(b"the password of nobody")
