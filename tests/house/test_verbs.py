"""The verbs on flow runs are declared once: every door offers what the table declares, under the same permission."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from appliance.cli.bulk import bulk
from appliance.cli.mark import MARKED_STATES as MARKED_ON_THE_COMMAND_LINE
from appliance.cli.root import COMMANDS, Commands
from appliance.client import flow_runs as client
from appliance.protocol.flow_runs import ChangeFlowRun
from appliance.protocol.jobs import Bulk, BulkAction
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import MARKED_STATES
from appliance.protocol.verbs import VERBS, Verb
from appliance.server.api.flow_runs import router
from appliance.server.auth.guards import ROLES, Permission
from appliance.server.graphql.fields import permissions
from appliance.server.graphql.schema import build
from appliance.server.graphql.types.inputs import MarkedState
from appliance.server.graphql.types.jobs import BulkAction as BulkActionInput

UI = Path(__file__).resolve().parents[2] / "ui" / "src"
MUTATIONS = {name: f"{name}FlowRun" for name in VERBS} | {"start_now": "startFlowRunNow"}
EACH = pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _input(mutation: str) -> set[str]:
    schema = build()
    assert schema.mutation_type is not None
    kind: Any = schema.mutation_type.fields[mutation].args["input"].type
    return set(kind.of_type.fields)


@EACH
def test_rest_has_one_route_for_each_verb(verb: Verb) -> None:
    every: list[Any] = [handler for route in router.routes for handler in route.route_handlers]
    handlers = [handler for handler in every if handler.fn.__name__ == verb.name]
    assert len(handlers) == 1
    handler = handlers[0]
    assert handler.opt["permission"] is Permission(verb.permission)
    assert handler.opt["body"] is verb.request
    assert handler.http_methods == {verb.method}


@EACH
def test_graphql_has_one_mutation_for_each_verb(verb: Verb) -> None:
    mutation = MUTATIONS[verb.name]
    assert permissions(build())[mutation] is Permission(verb.permission)
    fields = {*verb.fields, *ChangeFlowRun.__struct_fields__}
    assert _input(mutation) == {"flowRunId", *map(_camel, fields)}


@EACH
def test_the_command_line_has_one_command_for_each_verb(verb: Verb) -> None:
    assert COMMANDS[verb.command] == f"appliance.cli.{verb.name}:{verb.name}"
    command = Commands().get_command(click.Context(bulk), verb.command)
    assert command is not None
    assert command.help == verb.summary


@EACH
def test_the_client_has_one_function_for_each_verb(verb: Verb) -> None:
    assert callable(getattr(client, verb.name))


def test_bulk_actions_are_the_verbs_that_many_runs_can_take() -> None:
    verbs = {verb.name: verb.bulk_summary for verb in VERBS.values() if verb.bulk_summary is not None}
    assert set(get_args(BulkAction)) == {action.value for action in BulkActionInput} == set(verbs)
    assert {name.replace("-", "_"): command.help for name, command in bulk.commands.items()} == verbs
    for name in verbs:
        lacking = {*VERBS[name].fields} - {*Bulk.__struct_fields__} - {"name", "task_slug", "map_index"}
        assert not lacking, f"a bulk {name} can't say {lacking}"


def test_bulk_mutations_take_the_fields_of_the_message() -> None:
    assert _input("bulkFlowRuns") == set(map(_camel, Bulk.__struct_fields__))


def test_filters_have_the_fields_of_the_one_filter() -> None:
    kind: Any = build().type_map["FlowRunFilter"]
    split = {"stateTypes", "stateNames"}
    assert set(kind.fields) - split == {_camel(name) for name in RunFilter.__struct_fields__} - {"states"}
    for command in bulk.commands.values():
        options = {option.name for option in command.params}
        taken = {"labels": "run_labels", "parameters": "run_parameters"}
        assert {taken.get(name, name) for name in RunFilter.__struct_fields__} - {"flow_id"} <= options


def test_marked_states_are_the_same_everywhere() -> None:
    assert tuple(state.value for state in MarkedState) == MARKED_STATES == MARKED_ON_THE_COMMAND_LINE


def test_operators_may_use_every_verb() -> None:
    assert {Permission(verb.permission) for verb in VERBS.values()} <= ROLES["operator"]


def menu(text: str) -> set[tuple[str, str]]:
    """The verbs of the UI's menu, each with its permission."""
    return set(re.findall(r'action: "(\w+)",\s+permission: "([\w:]+)"', text))


def test_the_menu_of_the_ui_offers_verbs_of_the_table() -> None:
    entries = menu((UI / "lib" / "bulk.ts").read_text(encoding="utf-8"))
    assert entries
    assert entries <= {(verb.name, verb.permission) for verb in VERBS.values()}
    assert menu('{ action: "restrat",\n permission: "runs:restart" }') == {("restrat", "runs:restart")}
