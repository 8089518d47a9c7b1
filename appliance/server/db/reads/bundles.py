"""Reads of bundles. Lists never read the bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BigInteger, Select, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from appliance.server.db.reads import pages, readable
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.bundles import BundleBytes, BundleFlow, BundleRow, BundleUse
from appliance.server.db.rows.secrets import SecretReader
from appliance.server.db.tables import metadata

_bundle = metadata.tables["bundle"]
_named = metadata.tables["named_bundle"]
_project = metadata.tables["project"]
_flow = metadata.tables["flow"]
_version = metadata.tables["flow_version"]
MOST_FLOWS = 20
"""How many of the flows that use a bundle are named."""


def page(session: Session, limit: int, after: str | None) -> RowPage[BundleRow]:
    """All bundles, newest first."""
    query = _rows().order_by(_bundle.c.id.desc())
    if after is not None:
        query = query.where(_bundle.c.id < _last(after))
    return pages.read(session, query, limit, lambda row: (row.id,))


def flows(session: Session, ids: Collection[UUID]) -> Mapping[UUID, Sequence[BundleFlow]]:
    """For each bundle, the flows with a version that names it, by name, at most MOST_FLOWS."""
    by_bundle: defaultdict[UUID, list[BundleFlow]] = defaultdict(list)
    for row in _flows(session, ids) if ids else ():
        by_bundle[row.bundle_id].append(row)
    return by_bundle


def _flows(session: Session, ids: Collection[UUID]) -> Sequence[BundleFlow]:
    each = (
        select(_named.c.bundle_id, _flow.c.id.label("flow_id"), _flow.c.name.label("flow"))
        .join(_version, _version.c.id == _named.c.flow_version_id)
        .join(_flow, _flow.c.id == _version.c.flow_id)
        .where(_named.c.bundle_id.in_(ids))
        .distinct()
        .subquery()
    )
    of_one = each.c.bundle_id
    placed = select(
        each,
        func.count().over(partition_by=of_one).label("total"),
        func.row_number().over(partition_by=of_one, order_by=each.c.flow).label("place"),
    ).subquery()
    columns = (placed.c.bundle_id, placed.c.flow_id, placed.c.flow, placed.c.total)
    statement = select(*columns).where(placed.c.place <= MOST_FLOWS).order_by(placed.c.bundle_id, placed.c.place)
    return cast(Sequence[BundleFlow], readable.every(session, statement))


def _rows() -> Select[Any]:
    others = ("project", "versions")
    columns = [_bundle.c[name] for name in BundleRow.__annotations__ if name not in others]
    versions = select(func.count()).where(_named.c.bundle_id == _bundle.c.id).scalar_subquery()
    joined = _bundle.join(_project, _project.c.id == _bundle.c.project_id)
    return select(*columns, _project.c.name.label("project"), versions.label("versions")).select_from(joined)


def _last(cursor: str) -> UUID:
    try:
        return UUID(pages.text_key(cursor, 1)[0])
    except ValueError as error:
        raise pages.unusable() from error


def find(session: Session, project: str, digest: str) -> BundleUse | None:
    """The bundle of a project with this content."""
    statement = (
        select(_bundle.c.project_id, _bundle.c.used)
        .join(_project, _project.c.id == _bundle.c.project_id)
        .where(_project.c.name == project, _bundle.c.digest == digest)
    )
    return cast(BundleUse | None, session.connection().execute(statement).one_or_none())


def of_version(session: Session, run: SecretReader) -> BundleBytes | None:
    """The bundle that the version of a run names."""
    statement = (
        select(_bundle.c.sha256, _bundle.c.content)
        .join(_named, _named.c.bundle_id == _bundle.c.id)
        .where(_named.c.flow_version_id == run.flow_version_id)
    )
    return cast(BundleBytes | None, session.connection().execute(statement).one_or_none())


def totals(session: Session) -> tuple[int, int]:
    """How many bundles there are, and their bytes."""
    size = sql_cast(func.sum(_bundle.c.size), BigInteger)
    number, total = session.connection().execute(select(func.count(), size).select_from(_bundle)).one()
    return int(number), int(total or 0)
