"""Hashing and checking passwords: argon2id, with the same work whether or not the user exists."""

from __future__ import annotations

import hmac
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.kit.plurals import counted
from appliance.server.auth import guessable
from appliance.server.errors import Invalid

MIN_LENGTH = 12
MAX_BYTES = 1024

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_strength(password: str, username: str, *, development: bool = False) -> None:
    """Raise Invalid for a password that is too short, too long or easy to guess; with `development`, only for one that can't be one."""
    problem = problem_of(password, username, development=development)
    if problem:
        raise Invalid(f"The password {problem}.")


def problem_of(password: str, username: str, *, development: bool = False) -> str:
    """What is wrong with the password and what to do, as the end of a sentence; empty if nothing is."""
    if len(unicodedata.normalize("NFC", password)) < shortest(development):
        return f"is too short; use at least {counted(shortest(development), 'character')}"
    if len(_bytes(password)) > MAX_BYTES:
        return f"is too long; use at most {MAX_BYTES} bytes"
    reason = "" if development else guessable.reason(password, username)
    return reason and f"is too easy to guess, because {reason}; use several random words instead"


def shortest(development: bool) -> int:
    """Characters that a password has at least."""
    return 1 if development else MIN_LENGTH


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
