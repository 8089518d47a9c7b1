"""Rotating the key of secrets: another key is current at once, then everything is sealed again, in batches. It may be cut off at any
moment and run again: both keys stay until no secret needs the old one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from appliance.kit import clock
from appliance.kit.plurals import counted
from appliance.server.actions.secrets import KEY_SETTING, opened
from appliance.server.auth.identity import SYSTEM
from appliance.server.auth.sealing import place, seal
from appliance.server.auth.secret_keys import SecretKeys
from appliance.server.db.reads import secrets as reads
from appliance.server.db.reads import settings as read_settings
from appliance.server.db.retries import retried
from appliance.server.db.rows.secrets import SealedSecret
from appliance.server.db.session import Database
from appliance.server.db.writes import secrets as writes
from appliance.server.db.writes import settings as write_settings
from appliance.server.errors import Conflict, DamagedRow, NoSecretKey
from appliance.server.events.outbox import announce

BATCH = 100
_RESEALED, _DELETED, _LEFT = "resealed", "deleted", "left"


@dataclass(frozen=True)
class KeyUse:
    """A key: whether the file has it, whether new values are sealed with it, and how many secrets are."""

    id: str
    present: bool
    current: bool
    secrets: int


@dataclass(frozen=True)
class Rotated:
    """The current key, how many secrets were sealed again, deleted or left because they can't be unsealed, and the keys that were removed."""

    key_id: str
    resealed: int
    deleted: int
    left: int
    removed: list[str]


def keys_in_use(db: Database, keys: SecretKeys) -> list[KeyUse]:
    """All keys that the file has or that seal a secret."""
    with db.read() as session:
        current, numbers = read_settings.get(session, KEY_SETTING), reads.numbers_by_key(session)
    known = keys.ids()
    every = dict.fromkeys([*known, *numbers, *filter(None, [current])])
    return [KeyUse(id, id in known, id == current, numbers.get(id, 0)) for id in every]


def rotate(
    db: Database, keys: SecretKeys, *, delete_lost: bool = False, keep_old: bool = False, now: datetime | None = None
) -> Rotated:
    """Seal all secrets with the newest key, one that was added beforehand or else a new one, and remove the keys that this leaves unused.

    A secret that can't be unsealed is left as it is, or with `delete_lost` deleted. Raises NoSecretKey, before anything changes, if a
    secret's key is lost, unless `delete_lost`.
    """
    now = now or clock.now()
    lost = sum(use.secrets for use in keys_in_use(db, keys) if not use.present)
    if lost and not delete_lost:
        raise NoSecretKey(
            f"The key of {counted(lost, 'secret')} is lost; put the file with it back in its place, or delete what it seals with --delete-lost."
        )
    key_id = _make_current(db, keys, now)
    sums: Counter[str] = Counter()
    after: UUID | None = None
    while True:
        done, after = _batch(db, keys, key_id, after, delete_lost, now)
        sums += done
        if after is None:
            break
    with db.read() as session:
        needed = reads.numbers_by_key(session).keys()
    removed = [] if keep_old else keys.drop_before(key_id, needed)
    return Rotated(key_id, sums[_RESEALED], sums[_DELETED], sums[_LEFT], removed)


@retried
def _make_current(db: Database, keys: SecretKeys, now: datetime) -> str:
    """From the commit on, all values are sealed with the newest key: whoever seals one holds the setting until it is committed."""
    with db.read() as session:
        current, numbers = read_settings.get(session, KEY_SETTING), reads.numbers_by_key(session)
    newest = keys.newest()
    is_unfinished = any(key_id != newest for key_id in numbers)
    key_id = newest if newest != current or is_unfinished else keys.add()
    with db.write("secret_key.current") as session:
        write_settings.put(session, KEY_SETTING, key_id, now)
    return key_id


@retried
def _batch(
    db: Database, keys: SecretKeys, key_id: str, after: UUID | None, delete_lost: bool, now: datetime
) -> tuple[Counter[str], UUID | None]:
    """What was done with the next secrets, and the last one's id; None: there are no more. Raises Conflict if another key is current."""
    done: Counter[str] = Counter()
    with db.write("secret_key.batch") as session:
        if writes.share_setting(session, KEY_SETTING) != key_id:  # what follows could remove this key
            raise Conflict("Another rotation of the key has begun; this one has stopped, and nothing is lost.")
        batch = reads.others(session, key_id, after, BATCH)
        for secret in batch:
            done[_move(session, keys, key_id, secret, delete_lost, now)] += 1
    return done, batch[-1].id if len(batch) == BATCH else None


def _move(
    session: Session, keys: SecretKeys, key_id: str, secret: SealedSecret, delete_lost: bool, now: datetime
) -> str:
    try:
        value = opened(keys, secret)
    except (NoSecretKey, DamagedRow):
        if not delete_lost or writes.remove(session, secret.id, secret.key_id) is None:
            return _LEFT
        data = {"name": secret.name, "project_id": str(secret.project_id), "reason": "It couldn't be unsealed."}
        announce(session, "secret", secret.id, "secret.deleted", data, SYSTEM, now)
        return _DELETED
    where = place(secret.project_id, secret.id, secret.name, secret.version)
    writes.reseal(
        session, secret, seal(keys.get(key_id), value, where), key_id
    )  # one that was set meanwhile has the new key already
    return _RESEALED
