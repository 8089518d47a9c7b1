"""From a verb of the table to its action: the one door that REST, GraphQL and bulk actions use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.server.actions.flow_runs import cancel, delete, edit, mark, pause, restart, resume, start_now
from appliance.server.actions.flow_runs.change import Change
from appliance.server.auth.identity import Actor
from appliance.server.db.session import Database

_ACTIONS: Mapping[str, Callable[[Database, Actor, UUID, Any], UUID]] = {
    "cancel": cancel.cancel_run,
    "pause": pause.pause_run,
    "resume": resume.resume_run,
    "restart": restart.restart_run,
    "mark": mark.mark_run,
    "start_now": start_now.start_run_now,
    "edit": edit.edit_run,
    "delete": delete.delete_run,
}
_CHANGES: Mapping[str, Callable[[Actor, Any], Change]] = {
    "cancel": cancel.change,
    "pause": pause.change,
    "resume": resume.change,
    "restart": restart.change,
    "mark": mark.change,
    "start_now": start_now.change,
    "edit": edit.change,
    "delete": delete.change,
}


def perform(db: Database, actor: Actor, flow_run_id: UUID, verb: str, request: ChangeFlowRun) -> UUID:
    """Do it to one run, in a transaction of its own. `request` is of the verb's own type."""
    return _ACTIONS[verb](db, actor, flow_run_id, request)


def change_of(verb: str, actor: Actor, request: ChangeFlowRun) -> Change:
    """The same as a change inside another action's transaction. Raises Invalid for a request that can't be used."""
    return _CHANGES[verb](actor, request)
