"""Writing bundles, and which versions of flows name them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from appliance.server.db.rows.bundles import BundleSize, NewBundle
from appliance.server.db.tables.bundles import Bundle, NamedBundle
from appliance.server.db.tables.columns import table
from appliance.server.db.upserts import upsert

_bundles = table(Bundle)
_named = table(NamedBundle)


def add(session: Session, row: NewBundle) -> bool:
    """Store a bundle. False if the project has one with this content already."""
    connection = session.connection()
    statement = (
        upsert(connection, _bundles)
        .on_conflict_do_nothing(index_elements=["project_id", "digest"])
        .returning(_bundles.c.id)
    )
    return connection.execute(statement, dict(row)).first() is not None


def touch(session: Session, project_id: UUID, digest: str, now: datetime) -> UUID | None:
    """Keep the bundle for a while longer, and from being removed until the transaction ends; None if there is none."""
    mine = (_bundles.c.project_id == project_id, _bundles.c.digest == digest)
    statement = update(_bundles).where(*mine).values(used=now).returning(_bundles.c.id)
    return cast(UUID | None, session.connection().execute(statement).scalar_one_or_none())


def name(session: Session, version_id: UUID, bundle_id: UUID) -> None:
    """Note that a version names the bundle."""
    session.connection().execute(insert(_named), {"flow_version_id": version_id, "bundle_id": bundle_id})


def remove_unnamed(session: Session, before: datetime, limit: int) -> Sequence[BundleSize]:
    """Delete bundles that no version names and that nobody has asked for since."""
    chosen = (
        select(_bundles.c.id)
        .where(
            _bundles.c.used < before, ~select(_named.c.bundle_id).where(_named.c.bundle_id == _bundles.c.id).exists()
        )
        .order_by(_bundles.c.used)
        .limit(limit)
    )
    statement = (
        delete(_bundles)
        .where(_bundles.c.id.in_(chosen), _bundles.c.used < before)
        .returning(_bundles.c.id, _bundles.c.project_id, _bundles.c.size)
    )
    return cast(Sequence[BundleSize], session.connection().execute(statement).all())
