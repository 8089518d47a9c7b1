"""What a command is about: runs, flows, schedules, limits, agents, tokens and users, by their ids or by their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from appliance.kit import suggestions

if TYPE_CHECKING:
    from appliance.client.transport import Transport
    from appliance.protocol.saved_views import SavedViewView

T = TypeVar("T")

_MOST_LISTED = 10
_MOST_SEARCHED = 5_000
_MOST_COMPARED = 200


class _Reference(click.ParamType[UUID], ABC):
    """An id as it is, or the id of what has this name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        from appliance.cli.connection import connect

        known = id_in(value)
        return self.find(connect(), str(value)) if known is None else known

    @abstractmethod
    def find(self, transport: Transport, name: str) -> UUID:
        """The id. Raises UsageError."""


class RunId(_Reference):
    """A run, by its id or name."""

    name = "run"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import flow_runs
        from appliance.protocol.run_filter import RunFilter

        runs = flow_runs.each(transport, RunFilter(name=name, include_future=True))
        matches = [run for run in islice(runs, _MOST_LISTED + 1) if run.name == name]
        if not matches:
            latest = flow_runs.each(transport, RunFilter(include_future=True), limit=_MOST_COMPARED)
            names = [run.name for run in latest]
            raise unknown("run", name, names, "run `appliance get flow-runs` to list runs", listing=False)
        return _only("runs", name, matches, lambda run: (run.id, f"{run.project}/{run.flow}, {run.state}")).id


class FlowId(_Reference):
    """A flow, by its id, its name, or project/flow."""

    name = "flow"

    def find(self, transport: Transport, name: str) -> UUID:
        return UUID(find_flow(transport, name)["id"])


class ScheduleId(_Reference):
    """A schedule, by its id, or by its flow if that has only one."""

    name = "schedule"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import schedules

        flow = find_flow(transport, name)
        matches = schedules.listed(transport, UUID(flow["id"]))
        if not matches:
            raise click.UsageError(
                f"Flow {flow['project']}/{flow['name']} has no schedule; add one with `appliance schedule add`."
            )
        chosen = _only("schedules", name, matches, lambda one: (one["id"], f"{one['description']} ({one['timezone']})"))
        return UUID(chosen["id"])


class KnownFailureId(_Reference):
    """A known failure, by its id, or by its flow if that has only one."""

    name = "known failure"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import known_failures

        flow = find_flow(transport, name)
        known = known_failures.listed(transport, flow["project"])
        matches = [one for one in known if str(one.flow_id) == flow["id"]]
        if not matches:
            raise click.UsageError(
                f"Flow {flow['project']}/{flow['name']} has no known failure; run `appliance failure list` to list them."
            )
        return _only("known failures", name, matches, lambda one: (one.id, f"{one.task_slug}: {one.message}"[:80])).id


class ViewId(_Reference):
    """A saved view, by its id or name."""

    name = "saved view"

    def find(self, transport: Transport, name: str) -> UUID:
        return find_view(transport, name).id


class AutomationId(_Reference):
    """An automation, by its id or name."""

    name = "automation"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import automations

        views = automations.listed(transport)
        for one in views:
            if one.name.casefold() == " ".join(name.split()).casefold():
                return one.id
        raise unknown("automation", name, [one.name for one in views], "the automations are")


class ArtifactId(_Reference):
    """An artifact, by its id, or the latest version of a key, or of project/key."""

    name = "artifact"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import artifacts

        project, _, key = name.rpartition("/")
        similar = artifacts.latest(transport, project=project or None, prefix=key, limit=_MOST_SEARCHED)
        matches = list(islice((one for one in similar if one.key == key), _MOST_LISTED + 1))
        if not matches:
            known = (str(one.key) for one in artifacts.latest(transport, project=project or None, limit=_MOST_COMPARED))
            raise unknown(
                "key of artifacts", key, known, "run `appliance artifact list --latest` to list keys", listing=False
            )
        return _only("artifacts", name, matches, lambda one: (one.id, f"{one.project}/{one.key}")).id


class LimitId(_Reference):
    """A limit, by its id or the name of what it limits."""

    name = "limit"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import concurrency

        limits = concurrency.listed(transport)
        matches = [one for one in limits if one["name"] == name]
        if not matches:
            raise unknown("limit", name, [one["name"] for one in limits], "the limits are")
        return UUID(_only("limits", name, matches, lambda one: (one["id"], str(one["kind"])))["id"])


class AgentId(_Reference):
    """An agent, by its id or name."""

    name = "agent"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import agents

        known = agents.listed(transport)
        matches = [one for one in known if one["name"] == name]
        if not matches:
            raise unknown("agent", name, [one["name"] for one in known], "the agents are")
        return UUID(matches[0]["id"])


class TokenId(_Reference):
    """A token, by its id or name."""

    name = "token"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import admin

        tokens = admin.tokens(transport)
        matches = [one for one in tokens if one.name == name]
        if not matches:
            raise unknown("token", name, [one.name for one in tokens], "the tokens are")
        return _only("tokens", name, matches, lambda one: (one.id, f"of {one.username}, begins {one.prefix}")).id


class UserId(_Reference):
    """A user, by their id or name."""

    name = "user"

    def find(self, transport: Transport, name: str) -> UUID:
        from appliance.client import admin

        users = admin.users(transport)
        matches = [one for one in users if one.username == name.strip().lower()]
        if not matches:
            raise unknown("user", name, [one.username for one in users], "the users are")
        return matches[0].id


def find_flow(transport: Transport, name: str, project: str | None = None) -> dict[str, Any]:
    """The flow that a person means by its id, its name or project/flow, in use or in the archive. Raises UsageError."""
    from appliance.client import flows

    known = id_in(name)
    if known is not None:
        return flows.get(transport, known)
    part = name.rpartition("/")[2] or name
    matches = [
        flow
        for archived in (False, True)
        for flow in flows.each(transport, project=project, name=part, archived=archived)
        if name in (flow["name"], f"{flow['project']}/{flow['name']}")
    ]
    if not matches:
        where = "" if project is None else f" in project {project!r}"
        listed = flows.each(transport, project=project, limit=_MOST_SEARCHED)
        names = [f"{flow['project']}/{flow['name']}" if "/" in name else flow["name"] for flow in listed]
        raise unknown("flow", name, names, "run `appliance get flows` to list flows", where, listing=False)
    return _only("flows", name, matches, lambda flow: (flow["id"], f"{flow['project']}/{flow['name']}"))


def find_view(transport: Transport, name: str) -> SavedViewView:
    """The caller's saved view of this name, in any case, or with this id. Raises UsageError."""
    from appliance.client import saved_views

    views = saved_views.listed(transport)
    known = id_in(name)
    for one in views:
        if one.id == known or one.name.casefold() == name.strip().casefold():
            return one
    raise unknown("saved view", name, [one.name for one in views], "your saved views are")


def id_in(value: Any) -> UUID | None:
    """The id, if the value is one."""
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None


def _only(kind: str, name: str, matches: Sequence[T], line: Callable[[T], tuple[Any, str]]) -> T:
    if len(matches) == 1:
        return matches[0]
    count = str(len(matches)) if len(matches) <= _MOST_LISTED else f"More than {_MOST_LISTED}"
    lines = ["  {}  {}".format(*line(one)) for one in matches[:_MOST_LISTED]]
    more = ["  and others"] if len(matches) > _MOST_LISTED else []
    raise click.UsageError("\n".join([f"{count} {kind} match {name!r}; specify one by its id:", *lines, *more]))


def unknown(
    kind: str, name: str, known: Iterable[str], otherwise: str, where: str = "", *, listing: bool = True
) -> click.UsageError:
    """The error for a name that doesn't exist, with the one that was probably meant, or else with those that there are."""
    names = list(known)
    if not listing and suggestions.closest(name, names) is None:
        names = []
    return click.UsageError(f"There is no {kind} {name!r}{where}; {suggestions.hint(name, names, otherwise)}")
