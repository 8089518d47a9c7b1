"""Writing secrets, and which versions of flows declare them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.reads import secrets as reads
from appliance.server.db.rows.secrets import NewSecret, SealedSecret
from appliance.server.db.tables.columns import table
from appliance.server.db.tables.projects import Project
from appliance.server.db.tables.secrets import DeclaredSecret, Secret
from appliance.server.db.tables.settings import Setting

_secrets = table(Secret)
_declared = table(DeclaredSecret)
_projects = table(Project)
_settings = table(Setting)


def lock_project(session: Session, project_id: UUID) -> None:
    """Until the transaction ends, nobody else adds a secret to the project."""
    statement = select(_projects.c.id).where(_projects.c.id == project_id)
    session.connection().execute(statement.with_for_update(key_share=True)).one_or_none()


def lock(session: Session, project_id: UUID, name: str) -> SealedSecret | None:
    """The secret of this name, which stays as it is until the transaction ends."""
    statement = select(*reads.SEALED).where(_secrets.c.project_id == project_id, _secrets.c.name == name)
    return cast(SealedSecret | None, session.connection().execute(statement.with_for_update()).one_or_none())


def add(session: Session, row: NewSecret) -> None:
    session.connection().execute(insert(_secrets), dict(row))


def replace(session: Session, secret_id: UUID, version: int, sealed: str, key_id: str, by: str, now: datetime) -> None:
    """Give a secret another value, which is its `version`th."""
    changed = {"sealed": sealed, "key_id": key_id, "version": version, "updated": now, "updated_by": by}
    session.connection().execute(update(_secrets).where(_secrets.c.id == secret_id).values(**changed))


def reseal(session: Session, old: SealedSecret, sealed: str, key_id: str) -> bool:
    """Store the same value sealed with another key, unless the secret has changed since it was read."""
    same = (_secrets.c.id == old.id, _secrets.c.version == old.version, _secrets.c.key_id == old.key_id)
    statement = update(_secrets).where(*same).values(sealed=sealed, key_id=key_id)
    return bool(session.connection().execute(statement).rowcount)


def remove(session: Session, secret_id: UUID, key_id: str | None = None) -> SealedSecret | None:
    """Delete a secret, if `key_id` is given only while that key seals it; return what it was, None when there was none."""
    statement = delete(_secrets).where(_secrets.c.id == secret_id)
    if key_id is not None:
        statement = statement.where(_secrets.c.key_id == key_id)
    return cast(SealedSecret | None, session.connection().execute(statement.returning(*reads.SEALED)).one_or_none())


def declare(session: Session, version_id: UUID, names: Collection[str]) -> None:
    """Let the runs of a version read these secrets."""
    if names:
        rows = [{"flow_version_id": version_id, "name": name} for name in sorted(names)]
        session.connection().execute(insert(_declared), rows)


def share_setting(session: Session, name: str) -> str | None:
    """A setting, which stays as it is until the transaction ends."""
    statement = select(_settings.c.value).where(_settings.c.name == name).with_for_update(read=True)
    return cast(str | None, session.connection().execute(statement).scalar())
