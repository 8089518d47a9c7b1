"""Identifiers: time-ordered UUIDs (RFC 9562 version 7), derived ids, secrets, and readable run names."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import threading
import time
import uuid
from collections.abc import Iterable

_VARIANT = {digit: "89ab"[int(digit, 16) & 0b11] for digit in "0123456789abcdef"}
"""The digit with its two highest bits set to 10, as in every UUID."""
_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> uuid.UUID:
    """A version 7 UUID: 48 bits of Unix milliseconds, a 12-bit counter that keeps the ids of a process in order, and 62 random bits."""
    global _last_ms, _counter
    with _lock:
        ms = max(time.time_ns() // 1_000_000, _last_ms)
        if ms == _last_ms:
            _counter += 1
            if _counter > 0xFFF:
                ms, _counter = ms + 1, 0
        else:
            _counter = secrets.randbits(8)
        _last_ms, counter = ms, _counter
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return uuid.UUID(int=(ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random)


def derived(parent: uuid.UUID, *parts: str | int) -> uuid.UUID:
    """The id of a part of `parent`, the same on every call (RFC 9562 version 8).

    It keeps the parent's first 48 bits, so that the parts of a run are adjacent in an index.
    """
    return uuid.UUID(_derived(parent, ["\x1f".join(map(str, parts))])[0])


def derived_all(parent: uuid.UUID, every: Iterable[tuple[str, int]]) -> list[uuid.UUID]:
    """`derived` for many pairs of a name and a number, in a fraction of the time."""
    import msgspec  # the SDK derives single ids, and does without

    return msgspec.convert(_derived(parent, [f"{name}\x1f{number}" for name, number in every]), list[uuid.UUID])


def _derived(parent: uuid.UUID, every: Iterable[str]) -> list[str]:
    copy = hashlib.blake2b(key=parent.bytes, digest_size=10).copy
    prefix, texts = f"{parent.hex[:12]}8", []
    for parts in every:
        digest = copy()
        digest.update(parts.encode())
        rest = digest.hexdigest()
        texts.append(f"{prefix}{rest[1:4]}{_VARIANT[rest[4]]}{rest[5:]}")
    return texts


def secret(prefix: str) -> str:
    """A bearer secret with 256 random bits and a recognizable prefix: `apl_<prefix>_<random>`."""
    return f"apl_{prefix}_{secrets.token_urlsafe(32)}"


def derived_secret(prefix: str, key: str, salt: str) -> str:
    """A bearer secret like those of `secret`, the same for the same key and salt. It takes some 50 ms, which slows down guessing the key."""
    digest = hashlib.scrypt(key.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)
    return f"apl_{prefix}_{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def sha256(text: str | bytes) -> str:
    """The hex SHA-256 digest, which is all that the database stores of a bearer secret."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


_ADJECTIVES = (
    "amber bold brave brief bright brisk calm clear clever cool crisp dapper deft eager early even fair fast fine firm "
    "fleet fond frank fresh gentle glad golden grand green happy hardy honest jolly keen kind lively loyal lucid lucky "
    "merry mild modest neat nimble noble plain polite proud pure quick quiet rapid ready rosy royal sage sharp shiny "
    "silent silver sleek smart snug solid spry steady still sunny sure swift tidy tranquil trim true vivid warm wise witty young"
).split()
_ANIMALS = (
    "adder alpaca badger bear beaver bison boar bream camel carp cat cheetah condor cougar coyote crab crane crow deer "
    "dingo dolphin donkey dove duck eagle egret elk falcon ferret finch fox frog gazelle gecko goat goose grouse gull hare "
    "hawk heron horse ibex iguana jackal jaguar jay kestrel koala lark lemur leopard lion lizard llama lynx magpie marmot "
    "marten mink mole moose moth mouse newt ocelot orca oriole osprey otter owl panda parrot pelican penguin perch pike "
    "pony puffin puma quail rabbit raven robin salmon seal shark sheep shrew skunk snail sparrow squid stork swan tapir "
    "tiger toad trout turtle viper vole walrus wasp weasel whale wolf wombat wren yak zebra"
).split()


def readable_name() -> str:
    """A name that people can say aloud, such as `calm-otter`. Unlike an id, it is not unique."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_ANIMALS)}"
