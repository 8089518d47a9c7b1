"""`appliance schedule`: when flows run automatically, and what happens to missed or overlapping due times."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import click

from appliance.cli import zone
from appliance.cli.connection import connect
from appliance.cli.due_times import DueTimes, document_of, due_time_options, edited
from appliance.cli.durations import Duration
from appliance.cli.identifiers import ScheduleId, find_flow
from appliance.cli.options import key_option, limit_option, parameter_option, reason_option
from appliance.cli.output import as_json, echo, print_json, print_table
from appliance.cli.run_config_options import run_config_of, run_config_options
from appliance.cli.values import AwareTime
from appliance.kit.plurals import counted
from appliance.protocol.schedules import DueTime, PreviewSchedule, SkipDueTime

if TYPE_CHECKING:
    from appliance.client.transport import Transport

F = TypeVar("F", bound=Callable[..., Any])
_MOST_AHEAD = 100
_PRINTED = re.compile(r"(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)")


@click.group(
    epilog="\b\nExamples:\n  appliance get schedules"
    "\n  appliance schedule add etl --project finance --cron '30 6 * * *' --timezone Europe/Berlin"
    "\n  appliance schedule pause finance/etl"
)
def schedule() -> None:
    """Add, change, pause, resume, and delete schedules, and skip single due times. SCHEDULE is an id, or a flow that has only one."""


def policy_options(command: F) -> F:
    """The policies of a schedule, and the parameters, labels and run config of its runs."""
    command = run_config_options(command)
    for option in (
        click.option(
            "--overlap",
            type=click.Choice(["allow", "queue", "skip", "cancel"]),
            help="If the previous run is still active: start anyway, wait, skip the new run, or cancel the previous one.",
        ),
        click.option("--catch-up-window", type=Duration(), help="Skip missed times older than this, such as 6h or 2d."),
        click.option(
            "--catch-up-cap", type=click.IntRange(min=1), help="With `all`: maximum number of runs, latest times first."
        ),
        click.option(
            "--catch-up",
            type=click.Choice(["none", "latest", "all"]),
            help="Which due times that passed while the appliance was down still get their runs.",
        ),
        click.option("--label", "labels", multiple=True, help="A label that the agent must have (repeatable)."),
        parameter_option("A parameter of its runs"),
    ):
        command = option(command)
    return command


@schedule.command(
    epilog="\b\nExamples:\n  appliance schedule add etl --project finance --cron '30 6 * * *' --timezone Europe/Berlin"
    "\n  appliance schedule add etl --project finance --every 900 --overlap skip --catch-up latest"
    "\n  appliance schedule add etl --project finance --date '2026-12-24 06:00' --date '2026-12-31 06:00'"
)
@click.argument("flow")
@click.option("--project", help="The flow's project, if FLOW is a name that several projects have.")
@due_time_options
@policy_options
@key_option
@as_json
def add(
    flow: str,
    project: str | None,
    times: DueTimes,
    json_output: bool,
    **fields: Any,
) -> None:
    """Add a schedule to FLOW. Its next runs are created at once."""
    from appliance.client import schedules

    document, transport = document_of(times), connect()
    request = _fields(fields)
    beside = {"labels": request.pop("labels", []), "run_config": request.pop("run_config", {})}
    request["document"] = document | {name: value for name, value in beside.items() if value}
    _print(schedules.create(transport, UUID(find_flow(transport, flow, project)["id"]), request), json_output)


@schedule.command(
    epilog="\b\nExamples:\n  appliance schedule edit ID --catch-up all --catch-up-cap 10 --catch-up-window 2d"
    "\n  appliance schedule edit ID --cron '0 5 * * *' -p region=eu\n  appliance schedule edit ID --reset cron --reset parameters"
)
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@due_time_options
@policy_options
@click.option("--no-labels", is_flag=True, help="Remove all labels, so that any agent qualifies.")
@click.option(
    "--no-param", "dropped", multiple=True, help="Remove a parameter, so that the flow's default applies (repeatable)."
)
@click.option(
    "--reset",
    multiple=True,
    metavar="FIELD",
    help="Take a field's value from the flow's code again, as of cron or overlap (repeatable).",
)
@key_option
@as_json
def edit(
    schedule_id: UUID,
    times: DueTimes,
    no_labels: bool,
    dropped: tuple[str, ...],
    json_output: bool,
    **fields: Any,
) -> None:
    """Change a schedule and replace its planned runs. Options that you omit, and parameters that you don't name, stay unchanged."""
    from appliance.client import schedules

    request = _fields(fields)
    if no_labels and "labels" in request:
        raise click.UsageError("Specify --label or --no-labels, but not both.")
    if no_labels:
        request["labels"] = []
    if not request and not dropped and not times:
        raise click.UsageError("Specify at least one option to change; see --help.")
    transport = connect()
    if dropped or times or "parameters" in request:  # what stays unchanged has to be sent as well
        now = schedules.get(transport, schedule_id)
        request["version"] = now["version"]
        if times:
            request["document"] = edited(now["document"], times)
        if dropped or "parameters" in request:
            request["parameters"] = _parameters(now["parameters"], dropped, request.get("parameters", {}))
    _print(schedules.edit(transport, schedule_id, request), json_output)


def _parameters(now: dict[str, Any], dropped: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    for name in dropped:
        if name not in now or name in values:
            raise click.UsageError(
                f"The schedule has no value of its own for parameter {name!r} that could be removed."
            )
    return {name: value for name, value in now.items() if name not in dropped} | values


@schedule.command()
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@key_option
@as_json
def pause(schedule_id: UUID, json_output: bool) -> None:
    """Turn a schedule off and remove its planned runs."""
    from appliance.client import schedules

    _print(schedules.set_active(connect(), schedule_id, False), json_output)


@schedule.command()
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@key_option
@as_json
def resume(schedule_id: UUID, json_output: bool) -> None:
    """Turn a schedule on. Times that passed while it was off get no runs."""
    from appliance.client import schedules

    _print(schedules.set_active(connect(), schedule_id, True), json_output)


@schedule.command()
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@click.option("--preview", is_flag=True, help="Only show what would be deleted.")
@key_option
def delete(schedule_id: UUID, preview: bool) -> None:
    """Delete a schedule with its planned runs. Runs that are due, active, or finished are kept.

    One that the flow's code declares stays deleted until the code changes it; to stop it, pause it.
    """
    from appliance.client import schedules

    transport = connect()
    if preview:
        gone = schedules.deletion(transport, schedule_id)
        echo(f"Deleting the schedule deletes {counted(gone.planned_runs, 'planned run')}. It can't be undone.")
        if gone.declared:
            echo("The flow's code declares it: it would come back when the code changes it. Pausing it lasts.")
        return
    schedules.delete(transport, schedule_id)
    echo("Schedule deleted.")


@schedule.command(
    "next",
    epilog="\b\nExamples:\n  appliance schedule next finance/etl"
    "\n  appliance schedule next finance/etl --cron '30 2 * * *' --timezone Europe/Berlin",
)
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@due_time_options
@limit_option(10, maximum=100)
@as_json
def next_(
    schedule_id: UUID,
    times: DueTimes,
    limit: int,
    json_output: bool,
) -> None:
    """List the next due times in the schedule's zone, with what clock changes, its calendar, and its overlap policy do to them.

    With --cron, --every, --date, or --timezone: as they would be after that edit. Nothing is changed.
    """
    from appliance.client import schedules

    transport = connect()
    if times:
        now = schedules.get(transport, schedule_id)
        document = edited(now["document"], times) | {"overlap": now["overlap"]}
        request = PreviewSchedule(document=document, parameters=now["parameters"], limit=limit, schedule_id=schedule_id)
        coming = schedules.preview(transport, UUID(now["flow_id"]), request)
    else:
        coming = schedules.next_times(transport, schedule_id, limit)
    if json_output:
        print_json(coming)
        return
    print_table(
        (f"DUE ({coming.timezone})", "NOTE"),
        ((_clock(time.local), " ".join([*_skipped(time), *time.notes])) for time in coming.times),
        "The schedule is over; it has no more due times.",
    )
    for time in coming.dropped:
        echo(f"No run at {_clock(time.local)}: {time.reason}")
    if coming.missing:
        echo(f"It can't start runs: required parameters without a value: {', '.join(coming.missing)}.")


def _skipped(time: DueTime) -> list[str]:
    return [] if time.skipped is None else [f"No run. {time.skipped.removesuffix('.')}."]


def _clock(local: str) -> str:
    return datetime.fromisoformat(local).strftime("%a %Y-%m-%d %H:%M:%S %z")


class _DueTime(AwareTime):
    """A time, also as `appliance schedule next` prints it; None stands for the next one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | None:  # type: ignore[override]
        printed = _PRINTED.fullmatch(str(value))
        text = f"{printed[1]}T{printed[2]}{printed[3]}:{printed[4]}" if printed else value
        return None if text == "next" else super().convert(text, param, ctx)


@schedule.command(
    epilog="\b\nExamples:\n  appliance schedule skip finance/etl next --reason 'the supplier is closed'"
    "\n  appliance schedule skip finance/etl 2026-12-25T02:30:00+01:00"
)
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@click.argument("at", type=_DueTime(), metavar="TIME")
@reason_option("with the skip")
@key_option
@as_json
def skip(schedule_id: UUID, at: datetime | None, reason: str, json_output: bool) -> None:
    """Skip one due time. Its planned run is removed; the schedule stays as it is.

    TIME is a due time that `appliance schedule next` lists, or `next` for the next one that is not skipped yet.
    """
    from appliance.client import schedules

    transport = connect()
    at = at or _next_of(transport, schedule_id, skipped=False)
    time = schedules.skip(transport, schedule_id, SkipDueTime(at=at, reason=reason))
    if json_output:
        print_json(time)
        return
    echo(f"{_clock(time.local)}: {' '.join(_skipped(time))} `appliance schedule unskip` restores it.")


@schedule.command(epilog="\b\nExamples:\n  appliance schedule unskip finance/etl 2026-12-25T02:30:00+01:00")
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@click.argument("at", type=_DueTime(), metavar="TIME")
@reason_option("with the event")
@key_option
@as_json
def unskip(schedule_id: UUID, at: datetime | None, reason: str, json_output: bool) -> None:
    """Restore a due time that was skipped, or whose planned run was deleted. Its run is planned again.

    TIME is a due time that `appliance schedule next` lists, or `next` for the next one that is skipped.
    """
    from appliance.client import schedules

    transport = connect()
    at = at or _next_of(transport, schedule_id, skipped=True)
    time = schedules.unskip(transport, schedule_id, SkipDueTime(at=at, reason=reason))
    if json_output:
        print_json(time)
        return
    echo(f"{_clock(time.local)}: runs again.")


def _next_of(transport: Transport, schedule_id: UUID, *, skipped: bool) -> datetime:
    from appliance.client import schedules

    times = schedules.next_times(transport, schedule_id, _MOST_AHEAD).times
    for time in times:
        if (time.skipped is not None) == skipped:
            return time.at
    raise click.UsageError(
        f"None of the schedule's next {counted(len(times), 'due time')} is {'skipped' if skipped else 'left'}."
    )


@schedule.command()
@click.argument("schedule_id", type=ScheduleId(), metavar="SCHEDULE")
@limit_option(50, maximum=None)
@as_json
def skips(schedule_id: UUID, limit: int, json_output: bool) -> None:
    """List due times that got no run, newest first, with the reasons."""
    from appliance.client import schedules

    items = schedules.skips(connect(), schedule_id, limit)
    if json_output:
        print_json(items)
        return
    rows = ((zone.local(skip["first"]), zone.local(skip["last"]), str(skip["count"]), skip["reason"]) for skip in items)
    print_table(("FIRST", "LAST", "TIMES", "WHY"), rows, "Every due time got a run.")


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were set, as fields of the request."""
    fields = {name: value for name, value in options.items() if value is not None and value != ()}
    config = run_config_of(fields.pop("run_config_file", None), fields.pop("env", ()))
    if config:
        fields["run_config"] = config
    if "parameters" in fields:
        fields["parameters"] = dict(fields["parameters"])
    if isinstance(fields.get("catch_up_window"), timedelta):
        fields["catch_up_window"] = fields["catch_up_window"].total_seconds()
    return fields


def _print(schedule: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(schedule)
        return
    flow = f"{schedule['project']}/{schedule['flow']}"
    echo(f"{schedule['id']}  {flow}: {schedule['description']} ({schedule['timezone']})")
    cap = f", at most {schedule['catch_up_cap']}" if schedule["catch_up"] == "all" else ""
    length = str(timedelta(seconds=schedule["catch_up_window"] or 0)).removesuffix(", 0:00:00")
    window = f", from the last {length}" if schedule["catch_up_window"] else ""
    echo(f"Missed times: {schedule['catch_up']}{cap}{window}. Overlapping runs: {schedule['overlap']}.")
    if schedule["parameters"]:
        echo("Parameters: " + ", ".join(f"{name}={_short(value)}" for name, value in schedule["parameters"].items()))
    if schedule.get("run_config"):  # a server of the release before knows none
        echo(f"Run config: {json.dumps(schedule['run_config'])}")
    if schedule["labels"]:
        echo("Labels: " + ", ".join(schedule["labels"]))
    for edit in schedule["edits"]:
        echo(
            f"Edited by an operator: {edit['field']} is {_short(edit['value'])}, the code says {_short(edit['code'])}; "
            f"--reset {edit['field']} goes back."
        )
    if schedule["active"]:
        echo("Next: " + (", ".join(map(zone.named, schedule["next_times"])) or "never"))
    else:
        echo(f"The schedule is off; turn it on with `appliance schedule resume {schedule['id']}`.")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "nothing" if value is None else text if len(text) <= 60 else f"{text[:59]}…"
