"""Reads of secrets. Lists never read the sealed values."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from appliance.server.db.reads import pages, readable
from appliance.server.db.reads.pages import RowPage
from appliance.server.db.rows.secrets import SealedSecret, SecretReader, SecretRow, SecretUse
from appliance.server.db.tables import metadata

_secret = metadata.tables["secret"]
_declared = metadata.tables["declared_secret"]
_project = metadata.tables["project"]
_flow = metadata.tables["flow"]
_version = metadata.tables["flow_version"]
_run = metadata.tables["flow_run"]
MOST_USERS = 20
"""How many of the flows that use a secret are named."""
SEALED = (_secret.c.id, _secret.c.project_id, _secret.c.name, _secret.c.sealed, _secret.c.key_id, _secret.c.version)


def page(session: Session, limit: int, after: str | None, project: str | None) -> RowPage[SecretRow]:
    """Secrets by project and name: all, or those of one project."""
    query = _rows().order_by(_project.c.name, _secret.c.name)
    if project is not None:
        query = query.where(_project.c.name == project)
    if after is not None:
        name, last = pages.text_key(after, 2)
        query = query.where(tuple_(_project.c.name, _secret.c.name) > tuple_(last, name))
    return pages.read(session, query, limit, lambda row: (row.name, row.project))


def one(session: Session, secret_id: UUID) -> SecretRow | None:
    """The secret with this id."""
    statement = _rows().where(_secret.c.id == secret_id)
    return cast(SecretRow | None, session.connection().execute(statement).one_or_none())


def _rows() -> Select[Any]:
    columns = [_secret.c[name] for name in SecretRow.__annotations__ if name != "project"]
    joined = _secret.join(_project, _project.c.id == _secret.c.project_id)
    return select(*columns, _project.c.name.label("project")).select_from(joined)


def users(session: Session, ids: Collection[UUID]) -> tuple[Mapping[UUID, Sequence[SecretUse]], Mapping[UUID, int]]:
    """For each secret, the flows whose newest version declares it, by name, at most MOST_USERS; and how many there are. Archived flows don't
    count."""
    named: defaultdict[UUID, list[SecretUse]] = defaultdict(list)
    totals: Counter[UUID] = Counter()
    for use in _uses(session, ids) if ids else ():
        named[use.secret_id].append(use)
        totals[use.secret_id] = use.total
    return named, totals


def _uses(session: Session, ids: Collection[UUID]) -> Sequence[SecretUse]:
    other = _version.alias()
    newest = select(func.max(other.c.number)).where(other.c.flow_id == _flow.c.id).scalar_subquery()
    of_one = _secret.c.id
    users = (
        select(
            _secret.c.id.label("secret_id"),
            _flow.c.id.label("flow_id"),
            _flow.c.name.label("flow"),
            func.count().over(partition_by=of_one).label("total"),
            func.row_number().over(partition_by=of_one, order_by=_flow.c.name).label("place"),
        )
        .join(_declared, _declared.c.name == _secret.c.name)
        .join(_version, _version.c.id == _declared.c.flow_version_id)
        .join(_flow, and_(_flow.c.id == _version.c.flow_id, _flow.c.project_id == _secret.c.project_id))
        .where(_secret.c.id.in_(ids), _flow.c.archived.is_(False), _version.c.number == newest)
        .subquery()
    )
    columns = (users.c.secret_id, users.c.flow_id, users.c.flow, users.c.total)
    statement = select(*columns).where(users.c.place <= MOST_USERS).order_by(users.c.secret_id, users.c.place)
    return cast(Sequence[SecretUse], readable.every(session, statement))


def reader(session: Session, run_id: UUID) -> SecretReader | None:
    """The run that asks, with its flow and its version."""
    columns = (
        _run.c.flow_version_id, _version.c.number, _flow.c.name.label("flow"), _flow.c.project_id,
        _project.c.name.label("project"), _run.c.state_type, _run.c.state_name, _run.c.attempt,
    )  # fmt: skip
    statement = (
        select(*columns)
        .join(_version, _version.c.id == _run.c.flow_version_id)
        .join(_flow, _flow.c.id == _run.c.flow_id)
        .join(_project, _project.c.id == _flow.c.project_id)
        .where(_run.c.id == run_id)
    )
    return cast(SecretReader | None, session.connection().execute(statement).one_or_none())


def is_declared(session: Session, version_id: UUID, name: str) -> bool:
    """Whether the version declares the secret."""
    mine = (_declared.c.flow_version_id == version_id, _declared.c.name == name)
    return session.connection().execute(select(_declared.c.name).where(*mine)).first() is not None


def sealed(session: Session, project_id: UUID, name: str) -> SealedSecret | None:
    """The value of a project's secret, sealed."""
    statement = select(*SEALED).where(_secret.c.project_id == project_id, _secret.c.name == name)
    return cast(SealedSecret | None, session.connection().execute(statement).one_or_none())


def among(session: Session, project_id: UUID, names: Collection[str]) -> frozenset[str]:
    """Which of these names are those of secrets of the project."""
    statement = select(_secret.c.name).where(_secret.c.project_id == project_id, _secret.c.name.in_(names))
    return frozenset(readable.scalars(session, statement))


def others(session: Session, key_id: str, after: UUID | None, limit: int) -> Sequence[SealedSecret]:
    """The next secrets that are sealed with another key than this one, by id."""
    statement = select(*SEALED).where(_secret.c.key_id != key_id).order_by(_secret.c.id).limit(limit)
    if after is not None:
        statement = statement.where(_secret.c.id > after)
    return cast(Sequence[SealedSecret], readable.complete(session, statement))


def numbers_by_key(session: Session) -> dict[str, int]:
    """How many secrets each key seals."""
    statement = select(_secret.c.key_id, func.count()).group_by(_secret.c.key_id).order_by(_secret.c.key_id)
    return {key_id: number for key_id, number in readable.complete(session, statement)}


def number_of(session: Session, project_id: UUID) -> int:
    """How many secrets the project has."""
    statement = select(func.count()).where(_secret.c.project_id == project_id)
    return int(session.connection().execute(statement).scalar_one())
