"""Reads of how runs are started, which lists don't need of runs that have begun."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads.among import OfMany
from appliance.server.db.rows.flow_runs import RunStart
from appliance.server.db.tables import metadata

_run = metadata.tables["flow_run"]
_version = metadata.tables["flow_version"]
_OF_IDS = OfMany(
    lambda among: (
        select(_run.c.id, _run.c.run_config, _run.c.overrides, _version.c.storage_type)
        .join(_version, _version.c.id == _run.c.flow_version_id)
        .where(among(_run.c.id))
    )
)


def starts(session: Session, ids: Collection[UUID]) -> dict[UUID, RunStart]:
    """How these runs are started."""
    return {row.id: row for row in _OF_IDS.every(session, ids)}
