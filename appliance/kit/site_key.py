"""The site's keys, which authors and agents have and the server does not: age identities, in a file that a setting names. The first one seals; all of
them open, so that another can be put first without losing what is sealed already.

What is derived from it says nothing about it, and is another one for each purpose. Deriving needs no library.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from uuid import UUID

from appliance.kit import env

SETTING = f"{env.BUNDLE_KEY}_FILE"
HELD_FROM = f"{env.BUNDLE_KEY}_HELD_FROM"
"""The variable with the name of the file whose key root has read for an agent that becomes another user."""
_LINE = "AGE-SECRET-KEY-"
_RESULTS = b"appliance: the results of a project, 1\0"
_ID = b"appliance: which key seals results, 1"


def read(environ: Mapping[str, str] | None = None) -> list[str] | None:
    """The identities, as texts; none if what is set has none, None if nothing is set. Raises ValueError if the file can't be read."""
    text = _text(os.environ if environ is None else environ)
    return identities(text) if text.strip() else None


def identities(text: str) -> list[str]:
    """Those in the text of a key file, in its order, each once."""
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line.startswith(_LINE)))


def hold(environ: MutableMapping[str, str]) -> None:
    """Put the key in the place of its file's name, if this process can read the file: once it has become another user, it can't, and neither can what
    that user runs."""
    with suppress(ValueError):
        if SETTING in environ and (text := _text(environ)):
            file = environ.pop(SETTING)
            environ[env.BUNDLE_KEY] = text
            if os.geteuid() == 0:
                environ[HELD_FROM] = file


def _text(environ: Mapping[str, str]) -> str:
    prefix, _, name = env.BUNDLE_KEY.partition("_")
    return env.read(environ, prefix, (name.lower(),)).get(name.lower(), "")


def derived(identity: str, purpose: bytes) -> bytes:
    """A key of 32 bytes for this purpose."""
    return hmac.digest(identity.encode(), purpose, "sha256")


def results_key(identity: str, project_id: UUID) -> bytes:
    """The key for the results of a project."""
    return derived(identity, _RESULTS + project_id.bytes)


def key_id(identity: str) -> str:
    """What distinguishes this key from others, for the server, too."""
    return derived(identity, _ID).hex()[:16]
