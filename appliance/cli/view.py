"""`appliance view`: saves queries for runs under names, which the UI and `appliance get flow-runs --view` use."""

from __future__ import annotations

from uuid import UUID

import click

from appliance.cli.connection import connect
from appliance.cli.identifiers import ViewId
from appliance.cli.options import key_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.protocol.run_filter import LIST_ORDERS, ListOrder
from appliance.protocol.saved_views import EditView, SaveView

EPILOG = """\b
Examples:
  appliance view save 'Failed today' --query 'state:failed since:1d'
  appliance get flow-runs --view 'failed today'
  appliance view default 'failed today'
  appliance view rename 'failed today' Failures"""


@click.group(epilog=EPILOG)
def view() -> None:
    """Save queries for runs under names. Your saved views are yours alone; the UI lists them under Runs."""


@view.command("list", epilog=EPILOG)
@as_json
def list_views(json_output: bool) -> None:
    """List your saved views."""
    from appliance.client import saved_views

    views = saved_views.listed(connect())
    if json_output:
        print_json(views)
        return
    rows = ((one.name, one.q, one.sort, "default" if one.default else "", one.id) for one in views)
    empty = "You have no saved views; save one with `appliance view save`."
    print_table(("NAME", "QUERY", "SORT", "", "ID"), rows, empty)


@view.command(epilog=EPILOG)
@click.argument("name")
@click.option("--query", "q", default="", help='Runs that match this filter: "state:failed flow:etl-* since:7d" [all].')
@click.option("--sort", type=click.Choice(LIST_ORDERS), help="Sort by a time, with a minus for newest first.")
@click.option("--column", "columns", multiple=True, help="A column of the table in the UI (repeatable) [the usual].")
@click.option("--default/--no-default", default=None, help="Whether the page Runs opens with it [as before].")
@key_option
@as_json
def save(
    name: str, q: str, sort: ListOrder | None, columns: tuple[str, ...], default: bool | None, json_output: bool
) -> None:
    """Save a view under NAME, in place of your view of this name."""
    from appliance.client import saved_views

    request = SaveView(name=name, q=q, sort=sort, columns=list(columns), default=default)
    saved = saved_views.save(connect(), request)
    if json_output:
        print_json(saved)
    else:
        echo(f"The view {saved.name!r} is saved.")


@view.command(epilog=EPILOG)
@click.argument("view_id", type=ViewId(), metavar="VIEW")
@click.argument("name")
@key_option
def rename(view_id: UUID, name: str) -> None:
    """Rename VIEW, a name or an id, to NAME."""
    from appliance.client import saved_views

    renamed = saved_views.edit(connect(), view_id, EditView(name=name))
    echo(f"The view is named {renamed.name!r} now.")


@view.command(epilog=EPILOG)
@click.argument("view_id", type=ViewId(), metavar="VIEW")
@click.option("--off", is_flag=True, help="Don't open it with this view any more.")
@key_option
def default(view_id: UUID, off: bool) -> None:
    """Open the page Runs with VIEW, a name or an id."""
    from appliance.client import saved_views

    chosen = saved_views.edit(connect(), view_id, EditView(default=not off))
    echo(f"The page Runs {'no longer opens' if off else 'opens'} with {chosen.name!r}.")


@view.command(epilog=EPILOG)
@click.argument("view_id", type=ViewId(), metavar="VIEW")
@key_option
def delete(view_id: UUID) -> None:
    """Delete VIEW, a name or an id."""
    from appliance.client import saved_views

    saved_views.delete(connect(), view_id)
    echo("The view is deleted.")
