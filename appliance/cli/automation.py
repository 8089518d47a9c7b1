"""`appliance automation`: when something happens, a message goes out, or something is done."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import click

from appliance.cli.automation_action import action_of, action_options, details_of
from appliance.cli.connection import connect
from appliance.cli.identifiers import AutomationId
from appliance.cli.options import key_option, limit_option, yes_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.kit.plurals import counted
from appliance.protocol.automations import (
    ACTS,
    EVENTS,
    STATES,
    AutomationView,
    CreateAutomation,
    DryRun,
    EditAutomation,
)

EPILOG = """\b
Examples:
  appliance automation create 'etl fails' --on run.failed --on run.crashed --filter flow:etl \\
    --webhook https://hooks.example.org/flows --secret default/HOOK_KEY --at-most 1/hour
  appliance automation create 'late runs' --on run.late --email ops@example.org
  appliance automation create 'try again' --on run.crashed --filter flow:etl --restart --at-most 3/hour
  appliance automation dry-run --on run.failed --filter project:finance
  appliance automation test 'etl fails'
  appliance automation deliveries 'etl fails' --state failed"""
_PERIODS = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_RATE = re.compile(r"(\d{1,4})/(?:(\d{1,4}) ?)?(minute|hour|day)s?")


class Rate(click.ParamType[tuple[int, float]]):
    """How often at most, such as 1/hour or 3/15minutes."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float]:
        if isinstance(value, tuple):
            return value
        match = _RATE.fullmatch(str(value))
        if match is None and value != "0":
            self.fail(f"{value!r} is no rate; write it like 1/hour, 3/15minutes, or 0 for no limit.", param, ctx)
        return (0, 3_600.0) if match is None else (int(match[1]), float(match[2] or 1) * _PERIODS[match[3]])


def _condition(command: Any) -> Any:
    for option in (
        click.option(
            "--at-most", type=Rate(), help="How often at most: 1/hour, 3/15minutes, or 0 [as often as it happens]."
        ),
        click.option("--filter", "q", help="Only runs that match this filter: 'flow:etl-* project:finance' [all]."),
        click.option("--on", "events", multiple=True, type=click.Choice(list(EVENTS)), help="An event (repeatable)."),
    ):
        command = option(command)
    return command


@click.group(epilog=EPILOG)
def automation() -> None:
    """Send a message, restart a run, or pause a flow when something happens: a run fails, a run is late, an agent is lost."""


@automation.command("list", epilog=EPILOG)
@as_json
def list_automations(json_output: bool) -> None:
    """List automations by name, each as a sentence."""
    from appliance.client import automations

    views = automations.listed(connect())
    if json_output:
        print_json(views)
        return
    rows = ((one.name, _state(one), one.sentence, one.last_at, one.id) for one in views)
    empty = "There are no automations; create one with `appliance automation create`."
    print_table(("NAME", "STATE", "SENTENCE", "LAST", "ID"), rows, empty)


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@as_json
def show(automation_id: UUID, json_output: bool) -> None:
    """Show AUTOMATION, a name or an id."""
    from appliance.client import automations

    view = automations.one(connect(), automation_id)
    if json_output:
        print_json(view)
        return
    echo(f"{view.name} ({_state(view)})\n{view.sentence}")
    for name, text in details_of(view.action).items():
        echo(f"{name}: {text}")
    if view.acts_as:
        echo(f"acts as: {view.acts_as}")


@automation.command(epilog=EPILOG)
@click.argument("name")
@_condition
@action_options
@click.option("--disabled", is_flag=True, help="Create it switched off.")
@key_option
@as_json
def create(name: str, events: tuple[str, ...], q: str | None, at_most: Any, json_output: bool, **options: Any) -> None:
    """Create an automation named NAME. It acts on what happens from now on."""
    from appliance.client import automations

    action = action_of(options)
    if action is None or not events:
        raise click.UsageError("An automation needs --on with an event, and an action such as --webhook or --email.")
    number, per = at_most or (0, 3_600.0)
    request = CreateAutomation(
        name=name, events=list(events), action=action, q=q or "", at_most=number, per=per,
        unless_known=bool(options["unless_known"]), unless_maintenance=bool(options["unless_maintenance"]),
        enabled=not options["disabled"],
    )  # fmt: skip
    _print(automations.create(connect(), request), json_output)


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@click.option("--name", help="Rename it.")
@_condition
@action_options
@key_option
@as_json
def edit(
    automation_id: UUID, name: str | None, events: tuple[str, ...], q: str | None, at_most: Any, json_output: bool, **options: Any
) -> None:  # fmt: skip
    """Change AUTOMATION, a name or an id. What isn't given stays as it is; a new action takes the place of the old one."""
    from appliance.client import automations

    number, per = at_most or (None, None)
    request = EditAutomation(
        name=name, events=list(events) or None, action=action_of(options), q=q, at_most=number, per=per,
        unless_known=options["unless_known"], unless_maintenance=options["unless_maintenance"],
    )  # fmt: skip
    _print(automations.edit(connect(), automation_id, request), json_output)


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@key_option
def enable(automation_id: UUID) -> None:
    """Switch AUTOMATION on. It acts on what happens from now on."""
    _switch(automation_id, True)


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@key_option
def disable(automation_id: UUID) -> None:
    """Switch AUTOMATION off. What is pending is still sent, but nothing is changed any more."""
    _switch(automation_id, False)


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@yes_option
@key_option
def delete(automation_id: UUID, yes: bool) -> None:
    """Delete AUTOMATION with its deliveries. Pending deliveries are dropped."""
    from appliance.client import automations

    if not yes:
        click.confirm("Delete the automation and what it has sent?", abort=True)
    automations.delete(connect(), automation_id)
    echo("The automation is deleted.")


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@as_json
def test(automation_id: UUID, json_output: bool) -> None:
    """Send a sample message to where AUTOMATION sends, and show the request and the answer. An automation that changes something does nothing: it
    shows what it would do about the newest event that matches."""
    from appliance.client import automations

    transport = connect()
    view = automations.test(transport, automation_id)
    if json_output:
        print_json(view)
    elif automations.one(transport, automation_id).action.kind in ACTS:
        echo(f"{view.request}\n{view.answer}".strip())
    else:
        echo(
            f"{view.request}\n\n{'It arrived' if view.ok else 'It did not arrive'} ({view.seconds:g} s):\n{view.answer}"
        )
    if not view.ok:
        raise click.exceptions.Exit(1)


@automation.command("dry-run", epilog=EPILOG)
@_condition
@click.option("--days", type=click.IntRange(1, 30), default=30, show_default=True, help="How far to go back.")
@as_json
def dry_run(events: tuple[str, ...], q: str | None, at_most: Any, days: int, json_output: bool) -> None:
    """Count how often an automation would have acted in the last days."""
    from appliance.client import automations

    number, per = at_most or (0, 3_600.0)
    view = automations.dry_run(connect(), DryRun(events=list(events), q=q or "", at_most=number, per=per, days=days))
    if json_output:
        print_json(view)
        return
    times = counted(view.fired, "time")
    echo(
        f"It would have acted {times}."
        + ("" if view.complete else f" It looked back to {view.since:%Y-%m-%d %H:%M} only.")
    )
    if view.newest:
        rows = (
            (one.at, f"{one.event.partition('.')[0]} {EVENTS[one.event]}", one.flow, one.run)
            for one in view.newest[:20]
        )
        print_table(("AT", "EVENT", "FLOW", "RUN"), rows, "")


@automation.command(epilog=EPILOG)
@click.argument("automation_id", type=AutomationId(), metavar="AUTOMATION")
@click.option("--state", type=click.Choice(STATES), help="List those in this state only.")
@limit_option(20, 200)
@as_json
def deliveries(automation_id: UUID, state: str | None, limit: int, json_output: bool) -> None:
    """List what AUTOMATION has sent or done, or is about to, newest first."""
    from appliance.client import automations

    transport = connect()
    items = automations.deliveries(transport, automation_id, state, limit)
    if json_output:
        print_json(items)
        return
    does = automations.one(transport, automation_id).action.kind in ACTS
    rows = (
        (
            one.created, "done" if does and one.state == "sent" else one.state, one.text[:80], one.attempts,
            one.reason or (one.answer if does else ""), one.id,
        )
        for one in items
    )  # fmt: skip
    empty = "It has done nothing." if does else "It has sent nothing."
    print_table(("CREATED", "STATE", "TEXT", "ATTEMPTS", "RESULT" if does else "REASON", "ID"), rows, empty)


@automation.command("send-again", epilog=EPILOG)
@click.argument("delivery_id", type=click.UUID, metavar="DELIVERY")
@key_option
def send_again(delivery_id: UUID) -> None:
    """Send DELIVERY, an id, once more. A receiver that has it already knows it by its id. What was to be changed and was not is tried again."""
    from appliance.client import automations

    automations.send_again(connect(), delivery_id)
    echo("The delivery is sent again.")


def _switch(automation_id: UUID, enabled: bool) -> None:
    from appliance.client import automations

    view = automations.edit(connect(), automation_id, EditAutomation(enabled=enabled))
    echo(f"The automation {view.name!r} is {'enabled' if enabled else 'disabled'}.")


def _print(view: AutomationView, json_output: bool) -> None:
    if json_output:
        print_json(view)
    else:
        echo(f"{view.name}: {view.sentence}")


def _state(view: AutomationView) -> str:
    if view.failed:
        return f"{view.failed} failed"
    if view.pending:
        return f"{view.pending} pending"
    return "on" if view.enabled else "off"
