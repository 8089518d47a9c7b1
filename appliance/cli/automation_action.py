"""What an automation does, as options on the command line."""

from __future__ import annotations

import re
from typing import Any, cast

import click
import msgspec

from appliance.cli.values import Assignment, distinct
from appliance.protocol.automations import ACTS, Action, ActionKind

_URLS = {
    "webhook": "Call this URL, signed with the key in --secret.",
    "slack": "Post to this URL of Slack or Mattermost.",
    "teams": "Post to this URL of Teams.",
    "pagerduty": "Trigger PagerDuty, or a compatible receiver, at this URL ['' for PagerDuty's own].",
    "alertmanager": "Alert this URL, which ends with /api/v2/alerts.",
    "syslog": "Write to udp://host:514, tcp://host:601, or unix:///dev/log.",
}
_FLAGS = {
    "restart": "Restart the run.",
    "cancel": "Cancel the run that waits.",
    "pause_schedule": "Pause the schedule, or the one that has planned the run.",
    "pause_flow": "Pause the flow: its schedules plan no runs, and none of its runs starts.",
}
_OF_START = ("parameters", "labels", "run_name")


class Limit(click.ParamType[tuple[str, int]]):
    """A limit of a task tag, such as db=2."""

    name = "tag=slots"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        tag, _, slots = str(value).rpartition("=")
        if not tag or not re.fullmatch(r"\d{1,6}", slots):
            self.fail(f"{value!r} is no limit; write it like db=2.", param, ctx)
        return tag, int(slots)


def action_options(command: Any) -> Any:
    """One option for each kind of action, in the order of the help."""
    options = [click.option(f"--{kind}", metavar="URL", help=text) for kind, text in _URLS.items()]
    options += [
        click.option(
            "--chat", type=click.Choice(["slack", "teams"]), help="Post to the chat whose URL is in --secret."
        ),
        click.option("--email", multiple=True, metavar="ADDRESS", help="Send an e-mail to this address (repeatable)."),
        click.option(
            "--secret", default="", help="A secret, as project/NAME: a key, the URL of a chat, or a routing key."
        ),
        *(click.option(f"--{kind.replace('_', '-')}", kind, is_flag=True, help=text) for kind, text in _FLAGS.items()),
        click.option("--start", metavar="PROJECT/FLOW", help="Start a run of this flow."),
        click.option(
            "-p", "--param", "parameters", multiple=True, type=Assignment(), callback=distinct,
            help="A parameter for --start (repeatable); fields such as {flow} in texts are filled in.",
        ),
        click.option("--label", "labels", multiple=True, help="A label for --start (repeatable); replaces the flow's."),
        click.option("--run-name", default="", help="The name for --start, with fields such as {run}."),
        click.option("--set-limit", type=Limit(), help="Set the limit of this task tag."),
        click.option("--text", default="", help="The text, with fields such as {flow} [the usual sentence]."),
        click.option("--unless-known/--even-if-known", default=None, help="Not for failures marked as known."),
        click.option("--unless-maintenance/--even-in-maintenance", default=None, help="Not during maintenance."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def action_of(options: dict[str, Any]) -> Action | None:
    """The action of the options; None if they name none. Raises UsageError."""
    kinds = [kind for kind in (*_URLS, "email", *ACTS) if options.get(kind) not in (None, (), False)]
    if options["chat"]:
        kinds.append(options["chat"])
    if len(kinds) > 1:
        first, second = (kind.replace("_", "-") for kind in kinds[:2])
        raise click.UsageError(f"An automation has one action, not --{first} and --{second}.")
    kind = kinds[0] if kinds else ""
    if kind != "start" and any(options[name] for name in _OF_START):
        raise click.UsageError("--param, --label and --run-name belong to --start.")
    if not kind:
        if options["secret"] or options["text"]:
            raise click.UsageError("--secret and --text belong to an action; add it, such as --webhook or --email.")
        return None
    tag, slots = options["set_limit"] or ("", None)
    return Action(
        kind=cast(ActionKind, kind), url=options.get(kind) or "" if kind in _URLS else "", secret=options["secret"],
        to=list(options["email"]), text=options["text"], flow=options["start"] or "",
        parameters=dict(options["parameters"]), labels=list(options["labels"]) or None, run_name=options["run_name"],
        tag=tag, slots=slots,
    )  # fmt: skip


def details_of(action: Action) -> dict[str, str]:
    """What the sentence of an automation leaves out, by name."""
    parameters = [f"{name}={msgspec.json.encode(value).decode()}" for name, value in action.parameters.items()]
    texts = {
        "url": action.url, "secret": action.secret, "parameters": ", ".join(parameters),
        "labels": ", ".join(action.labels or ()), "run name": action.run_name, "text": action.text,
    }  # fmt: skip
    return {name: text for name, text in texts.items() if text}
