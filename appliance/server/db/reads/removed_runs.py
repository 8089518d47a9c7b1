"""Reads of runs that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable
from appliance.server.db.tables import metadata

_removed, _run = metadata.tables["removed_run"], metadata.tables["flow_run"]


def among(session: Session, ids: Sequence[UUID]) -> list[UUID]:
    """Those of the ids that were deleted here. One that is there is never among them, whatever else is stored."""
    still_there = select(_run.c.id).where(_run.c.id == _removed.c.id).exists()
    query = select(_removed.c.id).where(_removed.c.id.in_(ids), ~still_there)
    return readable.scalars(session, query)
