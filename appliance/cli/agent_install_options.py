"""What all commands that print how to keep an agent running have in common: their options, the agent's command line, and where the text goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from appliance import config
from appliance.cli.options import env_option, label_option, name_option, slots_option
from appliance.cli.output import echo

F = TypeVar("F", bound=Callable[..., Any])


def one_line(_context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """The callback of an option whose value must fit in a line."""
    if not value or not value.isprintable():
        raise click.BadParameter("Write one line of plain text.", param=parameter)
    return value


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    url = value or config.client_address()[0]
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname or not url.isprintable():
        raise click.BadParameter(f"{url[:80]!r} is not the URL of a server; write it like http://orchestrator:4200.")
    return url


def install_options(command: F) -> F:
    """--name, --label, --slots, --env, --server-url, and --output."""
    for option in (
        click.option(
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write it to this new file instead of printing it.",
        ),
        click.option(
            "--server-url",
            callback=_address,
            metavar="URL",
            help="Where the agent reaches the server [APPLIANCE_URL].",
        ),
        env_option,
        slots_option,
        label_option,
        name_option,
    ):
        command = option(command)
    return command


def slug(name: str) -> str:
    """The name of an agent, as files and services can have it."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII)


def start_command(
    kind: str, name: str, labels: Sequence[str], slots: int, env: Mapping[str, str], *more: str
) -> list[str]:
    """The words after `appliance` that start such an agent. Raises ClickException for what no line can hold."""
    words = ["agent", "start", kind, "--name", name, "--slots", str(slots)]
    words += [word for label in labels for word in ("--label", label)]
    words += [word for variable, value in env.items() for word in ("--env", f"{variable}={value}")]
    words += more
    for word in words:
        if not word.isprintable():
            raise click.ClickException(
                f"{word[:80]!r} has characters that can't be printed; write one line of plain text."
            )
    return words


def give(text: str, output: Path | None) -> None:
    """Print the text, or write it to a new file."""
    if output is None:
        echo(text.rstrip())
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise click.ClickException(f"There is a file {output} already; remove it, or name another.") from error
    except OSError as error:
        raise click.ClickException(f"{output} can't be written: {error.strerror}.") from error
    echo(f"Written to {output}, with the next steps in its first lines.", err=True)
