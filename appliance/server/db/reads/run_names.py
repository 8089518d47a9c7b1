"""The search for a part of a run's name in the index of three characters each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, column, func, select, table, text
from sqlalchemy.orm import Session

from appliance.server.db.reads import readable, settings
from appliance.server.db.reads.pages import contains
from appliance.server.db.tables import metadata

_names = metadata.tables["run_name"]

FILL = settings.Stored("run_names.fill", UUID)
"""Says that the names of earlier runs are still being added, up to now those of this run and the ones before it."""
SHORTEST = 3
MOST = 3_000
"""Of how many runs at most the index is followed: a text that more have is found among the newest ones sooner."""
_SAMPLE, _COMMON = 300, 60
"""How many of the newest names tell what is common: what this many of them have."""
_MOST_GROUPS = 8
_SEARCH = table("run_search", column("rowid"))
_IN_SQLITE = text("run_search match :groups")
_IN_POSTGRES = text("run_search_trigrams(run_name.name) @> run_search_trigrams(:part)")
_NEWEST = select(_names.c.name).order_by(_names.c.id.desc())


def containing(session: Session, part: str) -> Select[Any] | None:
    """The ids of all runs whose names contain this text. None if the index can't answer: the text is shorter than an entry of it, more
    than MOST runs may have it, or not all names are in the index yet."""
    if len(part) < SHORTEST or settings.get(session, FILL.name) is not None:
        return None
    newest = [row.name.lower() for row in readable.rows(session, _NEWEST, _SAMPLE)]
    if sum(part.lower() in name for name in newest) >= _COMMON:
        return None
    hits = _hits(session, rarest_groups(part, newest))
    few = select(func.count()).select_from(hits.limit(MOST + 1).subquery())
    if session.execute(few).scalar_one() > MOST:
        return None
    named = select(_names.c.flow_run_id).where(contains(session, _names.c.name, part))
    return named.where(_names.c.id.in_(hits))


def rarest_groups(part: str, names: Sequence[str]) -> list[str]:
    """Some groups of three characters of the text, those first that the fewest of these names have: what nearly all have costs an index
    the most and excludes the least."""
    groups = dict.fromkeys(part[place : place + SHORTEST] for place in range(len(part) - SHORTEST + 1))
    uses = {group: sum(group.lower() in name for name in names) for group in groups}
    chosen = sorted(groups, key=uses.__getitem__)[:_MOST_GROUPS]
    return [group for group in chosen if uses[group] < _COMMON] or chosen


def _hits(session: Session, groups: list[str]) -> Select[Any]:
    """The numbers of the names that have all these groups."""
    if session.get_bind().dialect.name == "postgresql":
        has = (_IN_POSTGRES.bindparams(bindparam("part", group, unique=True)) for group in groups)
        return select(_names.c.id).where(*has)
    strings = " AND ".join('"' + group.replace('"', '""') + '"' for group in groups)  # so that none is an operator
    return select(_SEARCH.c.rowid).where(_IN_SQLITE.bindparams(groups=strings))
