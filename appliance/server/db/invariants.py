"""What holds in every database of the appliance, whatever has happened to it: a backup is good if it holds there too."""

from __future__ import annotations

from sqlalchemy import Connection, text

from appliance.protocol.states import TERMINAL
from appliance.server.db import revisions

_ENDS = ", ".join(f"'{type}'" for type in sorted(TERMINAL))
_OWNERS = (("flow_run", "flow_run_state", "run"), ("task_run", "task_run_state", "task run"))
_NUMBERED = """
select {owner}_id from {history} group by {owner}_id having min(version) <> 1 or max(version) <> count(*) limit 1"""
_NEWEST = """
select o.id from {owner} o left join {history} h on h.{owner}_id = o.id and h.version = o.version
where h.version is null or h.type <> o.state_type or h.name <> o.state_name
   or exists (select 1 from {history} l where l.{owner}_id = o.id and l.version > o.version) limit 1"""
_FINAL = """
select {owner}_id from (
  select {owner}_id, type, attempt, message,
         lag(type) over w as before, lag(name) over w as before_name, lag(attempt) over w as before_attempt
  from {history} window w as (partition by {owner}_id order by version)
) as steps
where before in ({ends}) and before_name not in ('Mapped', 'Looped') and before_attempt = attempt
  and message not like 'Marked as%' and not (type in ('SCHEDULED', 'PENDING') and message like '%estarted%') limit 1"""


def broken(connection: Connection) -> list[str]:
    """What doesn't hold, a sentence each. Raises NewerSchema for a database of a newer version."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return ["This is not a database of the appliance."]
    revisions.require_supported(connection.execute(text("select version_num from alembic_version")).scalar())
    problems = _unsound(connection) if connection.dialect.name == "sqlite" else []
    if problems:
        return problems
    for owner, history, noun in _OWNERS:
        for query, sentence in (
            (_NUMBERED, "has states whose versions are not 1, 2, 3 and so on"),
            (_NEWEST, "is not in the newest state of its history"),
            (_FINAL, "went on after it had ended"),
        ):
            broken_id = connection.execute(text(query.format(owner=owner, history=history, ends=_ENDS))).scalar()
            if broken_id is not None:
                problems.append(f"At least one {noun} ({broken_id}) {sentence}.")
    return problems


def counts(connection: Connection) -> dict[str, int]:
    """How much a database holds, to compare it with its copy."""
    tables = ("flow", "flow_run", "flow_run_state", "task_run", "schedule", "log", "event")
    return {name: int(connection.execute(text(f"select count(*) from {name}")).scalar_one()) for name in tables}  # noqa: S608


def _unsound(connection: Connection) -> list[str]:
    faults = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
    if faults != ["ok"]:
        return [f"SQLite finds the file damaged: {'; '.join(faults)}."]
    foreign = connection.exec_driver_sql("select name from sqlite_master where type in ('trigger', 'view')").first()
    if foreign is not None:
        return [f"It contains {foreign[0]!r}, which the appliance did not make."]
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    return [] if lost is None else [f"A row of {lost[0]} refers to a row of {lost[2]} that does not exist."]
