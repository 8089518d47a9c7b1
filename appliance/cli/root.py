"""The `appliance` command: finds the subcommand, loads only its module, and turns every known error into one sentence and an exit code.

Exit codes: 0 success, 1 a failed run or an error, 2 incorrect usage, 3 the server can't be reached.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from appliance.cli.output import echo
from appliance.cli.zone import zone_option
from appliance.config import SettingsError
from appliance.kit.distribution import MissingExtra
from appliance.kit.printable import printable
from appliance.kit.profiles import ProfileError

COMMANDS = {
    "start": "appliance.cli.start:start",
    "server": "appliance.cli.server:server",
    "services": "appliance.cli.services:services",
    "health": "appliance.cli.health:health",
    "agent": "appliance.cli.agent:agent",
    "register": "appliance.cli.register:register",
    "deploy": "appliance.cli.deploy:deploy",
    "run": "appliance.cli.run:run",
    "get": "appliance.cli.get:get",
    "logs": "appliance.cli.logs:logs",
    "cancel": "appliance.cli.cancel:cancel",
    "pause": "appliance.cli.pause:pause",
    "resume": "appliance.cli.resume:resume",
    "restart": "appliance.cli.restart:restart",
    "start-now": "appliance.cli.start_now:start_now",
    "mark": "appliance.cli.mark:mark",
    "edit": "appliance.cli.edit:edit",
    "delete": "appliance.cli.delete:delete",
    "bulk": "appliance.cli.bulk:bulk",
    "backfill": "appliance.cli.backfill:backfill",
    "job": "appliance.cli.job:job",
    "hold": "appliance.cli.hold:hold",
    "maintenance": "appliance.cli.maintenance:maintenance",
    "flow": "appliance.cli.flow:flow",
    "project": "appliance.cli.project:project",
    "schedule": "appliance.cli.schedule:schedule",
    "limit": "appliance.cli.limit:limit",
    "failure": "appliance.cli.failure:failure",
    "view": "appliance.cli.view:view",
    "automation": "appliance.cli.automation:automation",
    "secret": "appliance.cli.secret:secret",
    "tasks": "appliance.cli.tasks:tasks",
    "bundle": "appliance.cli.bundle:bundle",
    "image": "appliance.cli.image:image",
    "artifact": "appliance.cli.artifact:artifact",
    "result": "appliance.cli.result:result",
    "backup": "appliance.cli.backup:backup",
    "doctor": "appliance.cli.doctor:doctor",
    "disk": "appliance.cli.disk:disk",
    "token": "appliance.cli.token:token",
    "user": "appliance.cli.user:user",
    "admin": "appliance.cli.admin:admin",
    "login": "appliance.cli.login:login",
    "logout": "appliance.cli.logout:logout",
    "profile": "appliance.cli.profile:profile",
    "completion": "appliance.cli.completion:completion",
    "version": "appliance.cli.version:version",
}

EPILOG = """\b
Examples:
  appliance start                                   server, services, and agent on this machine
  appliance register flows/ --project finance       register every flow in a folder
  appliance run etl --project finance -p day='"2026-01-31"' --watch
  appliance get flow-runs --json

Commands that talk to a server use the profile of `appliance login`; APPLIANCE_URL and APPLIANCE_TOKEN take precedence."""


class Commands(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@zone_option
def cli() -> None:
    """Schedule, run, and monitor your workflows on your own premises."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit the process with its exit code."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; every expected error is printed as one sentence."""
    try:
        result: Any = cli.main(args=arguments, prog_name="appliance", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return _say("Interrupted.", 130)
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message)  # it may contain what somebody else wrote
        error.show()
        return error.exit_code
    except (SettingsError, ProfileError, MissingExtra) as error:
        return _say(str(error), 2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader closed the pipe, as `| head` does; otherwise Python would complain at exit
        return 0
    except KeyboardInterrupt:
        return _say("Interrupted.", 130)
    except Exception as error:  # anything but an answer from the server is a bug, so it shows its traceback
        code = _client_exit_code(error)
        if code is None:
            raise
        return _say(str(error), code)


def _client_exit_code(error: Exception) -> int | None:
    if "appliance.client.errors" not in sys.modules:
        return None
    from appliance.client import errors

    if isinstance(error, errors.Outage):
        return 3
    if isinstance(error, errors.Refused):
        return 2 if error.status < 500 else 1
    return 1 if isinstance(error, errors.ClientError) else None


def _say(sentence: str, code: int) -> int:
    echo(f"Error: {sentence}", err=True)
    return code
