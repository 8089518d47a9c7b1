"""Devices on which a user has signed in before, known by a cookie that only this installation can make. It opens nothing: it only spares
its user the limits that others' wrong passwords use up."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from appliance.kit import ids
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.session import Database
from appliance.server.db.writes import settings as write_settings

COOKIE = "appliance_device"
LIFETIME = timedelta(days=365)
_KEY = "device_key"
_FORM = re.compile(r"([A-Za-z0-9_-]{22})\.([0-9a-f]{64})")


def issue(session: Session, username: str, now: datetime) -> str:
    """A new cookie for the user, inside the transaction that signs them in."""
    key = read_settings.get(session, _KEY)
    if key is None:
        write_settings.keep(session, _KEY, ids.secret("device"), now)
        key = read_settings.get(session, _KEY)
    assert key is not None
    device = secrets.token_urlsafe(16)
    return f"{device}.{_seal(key, username, device)}"


def known(db: Database, username: str, cookie: str) -> str | None:
    """The device that the cookie proves, if the user has signed in on it."""
    form = _FORM.fullmatch(cookie)
    if form is None:
        return None
    with db.read() as session:
        key = read_settings.get(session, _KEY)
    if key is None or not hmac.compare_digest(_seal(key, username, form[1]), form[2]):
        return None
    return form[1]


def _seal(key: str, username: str, device: str) -> str:
    return hmac.digest(key.encode(), f"{device}.{username}".encode(), hashlib.sha256).hex()
