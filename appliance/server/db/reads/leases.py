"""Reads of the services' leases."""

from __future__ import annotations

from typing import cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from appliance.server.db.prepared import Prepared
from appliance.server.db.reads import readable
from appliance.server.db.rows.leases import LeaseRow
from appliance.server.db.tables import metadata

_lease = metadata.tables["lease"]
SCHEDULER = "scheduler"
_OF_NAME = Prepared(select(_lease).where(_lease.c.name == bindparam("name")))


def get(session: Session, name: str) -> LeaseRow | None:
    """The lease, or None if no process has held it or its row can't be read; whoever takes it next writes it again."""
    rows = readable.every(session, _OF_NAME, {"name": name})
    return cast(LeaseRow, rows[0]) if rows else None
