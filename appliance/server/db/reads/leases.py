"""Reads of the services' leases."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.server.db.rows.leases import LeaseRow
from appliance.server.db.tables import metadata

_lease = metadata.tables["lease"]
SCHEDULER = "scheduler"


def get(session: Session, name: str) -> LeaseRow | None:
    return cast(LeaseRow | None, session.execute(select(_lease).where(_lease.c.name == name)).one_or_none())
