"""Reads of known failures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from appliance.server.db.reads import pages, run_filter_names
from appliance.server.db.reads.among import OfMany
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.known_failures import KnownFailureRow
from appliance.server.db.tables import metadata

_known = metadata.tables["known_failure"]
_flow = metadata.tables["flow"]
_project = metadata.tables["project"]
OPEN: ColumnElement[bool] = _known.c.resolved_at.is_(None)


def _rows() -> Select[Any]:
    names = {"flow": _flow.c.name, "owner": _flow.c.owner, "project": _project.c.name}
    columns = [names[name].label(name) if name in names else _known.c[name] for name in KnownFailureRow.__annotations__]
    flows = _known.join(_flow, _flow.c.id == _known.c.flow_id)
    return select(*columns).select_from(flows.join(_project, _project.c.id == _flow.c.project_id))


_OF_FLOWS = OfMany(lambda among: _rows().where(among(_known.c.flow_id), OPEN))


def page(
    session: Session, limit: int, after: str | None, project: str | None = None, resolved: bool = False
) -> RowPage[KnownFailureRow]:
    """Known failures, those last marked for the first time first: the open ones, or those that are resolved. Raises UnknownName if there is
    no such project."""
    if project is not None:
        run_filter_names.check_project(session, project)
    query = _rows().where(_known.c.resolved_at.is_not(None) if resolved else OPEN)
    if project is not None:
        query = query.where(_project.c.name == project)
    if after is not None:
        query = query.where(_known.c.id < pages.only_id(after))
    return pages.read(session, query.order_by(_known.c.id.desc()), limit, lambda row: (row.id,))


def one(session: Session, known_failure_id: UUID) -> KnownFailureRow | None:
    """The known failure with this id."""
    statement = _rows().where(_known.c.id == known_failure_id)
    return cast(KnownFailureRow | None, session.connection().execute(statement).one_or_none())


def open_of_flows(session: Session, flow_ids: Collection[UUID]) -> Sequence[KnownFailureRow]:
    """Those of these flows that are not resolved; some may have expired."""
    return cast(Sequence[KnownFailureRow], _OF_FLOWS.every(session, flow_ids))


def number_of(session: Session, flow_id: UUID) -> int:
    """How many open ones the flow has."""
    statement = select(func.count()).where(_known.c.flow_id == flow_id, OPEN)
    return int(session.connection().execute(statement).scalar_one())
